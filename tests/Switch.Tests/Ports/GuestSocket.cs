using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>A socket that a VMM listens at, as QEMU's server=on.</summary>
internal sealed class GuestSocket : IDisposable
{
    private readonly string _path;
    private readonly FileDescriptor _listener;
    private readonly Poller _poller = new();

    public GuestSocket(string path)
    {
        _path = path;
        _listener = UnixSocket.Listen(path, 0x180);
        _poller.Add(_listener, PollInterest.Readable, 0);
    }

    /// <summary>Waits for the switch.</summary>
    public FileDescriptor Accept()
    {
        FileDescriptor? socket = null;
        var events = new PollEvent[1];
        Wait.Until(() => _poller.Wait(events, 100) > 0 && (socket = UnixSocket.Accept(_listener)) != null, "the switch connects");
        return socket!;
    }

    public void Dispose()
    {
        _poller.Dispose();
        _listener.Dispose();
        File.Delete(_path);
    }
}
