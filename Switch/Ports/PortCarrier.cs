using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Ports;

/// <summary>
/// The carrier that a port's guest sees, of a port that follows its peer. A back-end of a network device has one way to tell
/// QEMU that the link is down: there is no connection. (It strips VHOST_USER_PROTOCOL_F_CONFIG of network devices, and answers
/// CONFIG_CHANGE with an error.) So the connection is ended and the socket taken away: one that is there and not answered would
/// stop QEMU's main loop. On the control thread.
/// </summary>
internal sealed class PortCarrier(Port port, PortSocket socket, Reactor reactor) : IDisposable
{
    /// <summary>How long a front-end may take to connect again before it counts as gone.</summary>
    private static readonly TimeSpan ReturnWithin = TimeSpan.FromSeconds(10);

    // Of the front-end that was cut off, until it is there again or has ended.
    private FileDescriptor? _process;
    private ulong _token;
    private IDisposable? _timer;
    private bool _blind;

    /// <summary>Whether the front-end is cut off, so that its guest sees no carrier.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Whether there is a VMM at the port, or one that is cut off and will be back.</summary>
    public bool IsThere => port.FrontEnd != null || _process != null;

    /// <summary>Lets the guest see a carrier, or none.</summary>
    public void Follow(bool up)
    {
        if (up)
            Restore();
        else if (!IsCut && port.State == PortState.Running)
            Cut(); // not earlier: QEMU does not start without its back-end
    }

    /// <summary>A front-end has connected.</summary>
    public void OnConnected()
    {
        _blind = false;
        Forget();
    }

    public void Dispose() => Forget();

    private void Cut()
    {
        if (port.FrontEnd is not var (pid, _) || ProcessHandle.TryOpen(pid) is not { } process)
        {
            TellBlind();
            return;
        }
        Forget();
        _process = process;
        _token = reactor.Watch(process, OnEnded);
        IsCut = true;
        socket.Cut();
    }

    /// <summary>A VM that starts in the place of this one would wait for us, and we would not know.</summary>
    private void TellBlind()
    {
        if (!_blind)
            port.Notice("its guest's carrier cannot follow the other end: the VMM's process cannot be watched, perhaps because it is in another container");
        _blind = true;
    }

    private void Restore()
    {
        if (!IsCut)
            return;
        IsCut = false;
        _timer = reactor.After(ReturnWithin, GiveUp);
        port.Reopen();
    }

    /// <summary>The VMM has ended: another one may start in its place, and needs the socket.</summary>
    private void OnEnded()
    {
        IsCut = false;
        GiveUp();
    }

    private void GiveUp()
    {
        Forget();
        port.Reopen();
    }

    private void Forget()
    {
        _timer?.Dispose();
        if (_process is not { } process)
            return;
        reactor.Unwatch(process, _token);
        _process = null;
        process.Dispose();
    }
}
