using System.Threading.Channels;
using InterGuest.Agent.Guests;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Streams;

/// <summary>A console (VIRTIO 1.2, 5.3): bytes of an input go to the other end of the link, and its bytes to an output.</summary>
internal sealed class ConsoleRole(ChannelReader<byte[]> input, Stream output) : IRole
{
    /// <summary>Entries of the queues.</summary>
    public const int QueueSize = 64;

    /// <summary>Of a buffer.</summary>
    public const int BufferBytes = 4096;

    private readonly Queue<byte[]> _sent = new();
    private Queue<byte[]> _again = new();
    private PairDriver? _driver;

    /// <inheritdoc/>
    public bool IsDone => false;

    /// <inheritdoc/>
    public void Start(DriverDevice device) => _driver = new PairDriver(device, BufferBytes, QueueSize, headerBytes: 0);

    /// <inheritdoc/>
    public bool Work()
    {
        for (int taken = _driver!.Reclaim(); taken > 0; taken--)
            _sent.Dequeue(); // the transmit queue of a console is used in order
        return Receive() | Send();
    }

    /// <inheritdoc/>
    public int Arm()
    {
        if (_driver!.ArmReceive() || _driver.ArmTransmit())
            return 0;
        return _driver.Room > 0 && input.TryPeek(out _) ? 0 : -1;
    }

    /// <inheritdoc/>
    public void Stop()
    {
        _driver = null;
        // What nobody has taken is not lost with the device.
        _again = new Queue<byte[]>([.. _sent, .. _again]);
        _sent.Clear();
    }

    private bool Receive()
    {
        bool any = false;
        for (; _driver!.TryReceive(out var bytes); any = true)
            output.Write(bytes);
        if (!any)
            return false;
        output.Flush();
        _driver.FlushReceive();
        return true;
    }

    private bool Send()
    {
        bool any = false;
        for (; _driver!.Room > 0 && (_again.TryDequeue(out byte[]? bytes) || input.TryRead(out bytes)); any = true)
        {
            _driver.TryTake(out int slot, out var buffer);
            bytes.CopyTo(buffer);
            _driver.Send(slot, bytes.Length);
            _sent.Enqueue(bytes);
        }
        if (any)
            _driver.FlushTransmit();
        return any;
    }
}
