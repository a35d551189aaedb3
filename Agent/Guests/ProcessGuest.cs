using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Guests;

/// <summary>A guest that is this process: it shares memory of its own with the switch, over a port's socket.</summary>
internal sealed class ProcessGuest : IGuest
{
    // Not where it is mapped: addresses of two kinds are never the same by chance.
    private const ulong MemoryStart = 0x1_0000_0000;

    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(5);

    private readonly string _socket;
    private readonly int? _roundsBit;
    private readonly DriverMemory _memory;

    /// <summary>Makes the guest's memory.</summary>
    /// <param name="socket">The port's socket.</param>
    /// <param name="memoryBytes">A multiple of the page size. What is not used costs nothing.</param>
    /// <param name="roundsBit">The number of VIRTIO_F_MULTI_ROUND; null: features are accepted once.</param>
    /// <exception cref="AgentException">The socket's path is too long.</exception>
    public ProcessGuest(string socket, long memoryBytes, int? roundsBit)
    {
        if (!UnixSocket.Fits(socket))
            throw new AgentException($"--port: {socket} is longer than the {UnixSocket.MaxPathBytes} bytes that a socket's path may have");
        (_socket, _roundsBit) = (socket, roundsBit);
        _memory = new DriverMemory(memoryBytes, MemoryStart);
    }

    /// <inheritdoc/>
    public string Name => $"port {_socket}";

    /// <inheritdoc/>
    public DriverDevice Open()
    {
        try
        {
            return VhostUserDevice.Connect(_socket, _memory, AnswerTime, _roundsBit);
        }
        catch (NativeException e) when (IsHopeless(e))
        {
            throw new AgentException($"{Name}: {e.Reason}", e);
        }
        catch (NativeException e)
        {
            throw new DeviceLostException($"no switch answers: {e.Reason}", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    /// <summary>A socket that is not there may come, one that we may not open will not.</summary>
    private bool IsHopeless(NativeException e) =>
        e.IsPermissionDenied || (Path.Exists(_socket) && !UnixSocket.IsSocket(_socket));
}
