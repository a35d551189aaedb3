using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Ports;

/// <summary>A port's socket and the one connection it may have. On the control thread.</summary>
internal sealed class PortSocket : IDisposable
{
    /// <summary>Messages per wake-up: the others wait their turn behind other ports.</summary>
    private const int MessagesPerTurn = 32;

    private static readonly TimeSpan ReconnectEvery = TimeSpan.FromMilliseconds(500);

    /// <summary>How long to leave connections waiting when we are out of file descriptors.</summary>
    private static readonly TimeSpan AcceptAgainAfter = TimeSpan.FromSeconds(1);

    /// <summary>How long a front-end may take for the rest of a message it has begun.</summary>
    private static readonly TimeSpan MessageDeadline = TimeSpan.FromSeconds(5);

    /// <summary>What a new connection costs, in messages: more than any of those that it then needs.</summary>
    private const int ConnectionCost = 8;

    private static readonly Verdict Unended = Verdict.Refused(MessageFault.MessageNotEnded, "the front-end began a message and did not end it");

    private readonly Port _port;
    private readonly Reactor _reactor;
    private readonly MessageBudget _budget;
    private FileDescriptor? _listener;
    private bool _open;
    private ulong _listenerToken;
    private Connection? _connection;
    private FileDescriptor? _waiting;
    private ulong _waitingToken;
    private IDisposable? _timer;
    private bool _disposed;

    /// <exception cref="SwitchException">The socket cannot be opened.</exception>
    public PortSocket(Port port, Reactor reactor, TimeProvider time)
    {
        (_port, _reactor) = (port, reactor);
        _budget = new MessageBudget(time, port.Model.RingCount);
        if (port.Model.CanConnect)
            Open();
    }

    /// <summary>Opens the socket, if it is not and may be.</summary>
    /// <returns>Why it cannot be, for a person; else null.</returns>
    public string? TryOpen()
    {
        try
        {
            if (!_open && _port.CanConnect)
                Open();
            return null;
        }
        catch (SwitchException e)
        {
            return e.Message;
        }
    }

    /// <summary>Ends the connection and takes the socket away, until <see cref="TryOpen"/>.</summary>
    public void Cut()
    {
        _open = false;
        _timer?.Dispose();
        CloseListener();
        Close();
        _port.OnDisconnected(Verdict.Done);
    }

    /// <summary>Tells the front-end that the device's configuration is another one.</summary>
    public void TellConfigChanged() => _connection?.Device.TellConfigChanged();

    /// <summary>Process and user of the front-end; null if none is connected.</summary>
    public (int Pid, uint Uid)? FrontEnd => _connection?.Peer;

    /// <summary>Process and user of one that waits for the port to be free; null if none does.</summary>
    public (int Pid, uint Uid)? WaitingFrontEnd => _waiting == null ? null : UnixSocket.Peer(_waiting);

    /// <summary>The device status as the front-end told it; 0 if it did not, or none is connected.</summary>
    public byte DeviceStatus => _connection?.Device.GetStatus() ?? 0;

    /// <summary>Asks the front-end, if one is connected, to read its features again.</summary>
    public void LookAgain() => _connection?.Device.LookAgain();

    public void Dispose()
    {
        _disposed = true;
        _timer?.Dispose();
        CloseListener();
        Close();
    }

    private void CloseListener()
    {
        if (_listener is not { } listener)
            return;
        _listener = null;
        _reactor.Unwatch(listener, _listenerToken);
        listener.Dispose();
        DropWaiting();
        if (_port.Sockets.IsHandingOver)
            return;
        _port.Sockets.Forget(_port.Name);
        UnixSocket.Remove(_port.Spec.SocketPath);
    }

    private void Open()
    {
        if (_port.Spec.Mode == SocketMode.Connect)
        {
            _open = true;
            _timer = _reactor.After(TimeSpan.Zero, Connect);
            return;
        }
        try
        {
            _listener = Listen(_port);
        }
        catch (NativeException e)
        {
            throw SocketErrors.Explain(_port.Spec.SocketPath, e);
        }
        _open = true;
        _listenerToken = _reactor.Watch(_listener, Accept);
    }

    private static FileDescriptor Listen(Port port)
    {
        var (path, access) = (port.Spec.SocketPath, port.Spec.Access);
        if (port.Sockets.Take(port.Name, path) is { } kept)
        {
            SocketFile.SetAccess(path, access.UserId, access.GroupId, access.Mode);
            return kept;
        }
        var listener = UnixSocket.Listen(path, access.UserId, access.GroupId, access.Mode);
        port.Sockets.Keep(port.Name, listener);
        return listener;
    }

    private void Accept()
    {
        if (TryAccept() is not { } socket)
            return;
        // The one before may be gone without our having heard of it yet.
        if (_connection is { Pause: null } before)
            OnReadable(before);
        if (_connection == null)
        {
            Open(socket);
            return;
        }
        // A second front-end waits until the first is gone, unanswered: one that is sent away comes back at once, without
        // end (QEMU with reconnect=). More of them wait behind it, in the listening socket.
        _waiting = socket;
        _waitingToken = _reactor.WatchEnd(socket, () =>
        {
            DropWaiting();
            _listenerToken = _reactor.Watch(_listener!, Accept);
        });
        _reactor.Unwatch(_listener!, _listenerToken);
        _port.Notice($"process {WaitingFrontEnd?.Pid} waits for it: process {FrontEnd?.Pid} is connected already, and a port serves one front-end at a time");
    }

    private FileDescriptor? TryAccept()
    {
        try
        {
            return UnixSocket.Accept(_listener!);
        }
        catch (NativeException e)
        {
            // The connection stays where it is, and would wake us at once again, for ever.
            _reactor.Unwatch(_listener!, _listenerToken);
            _timer = _reactor.After(AcceptAgainAfter, () => _listenerToken = _reactor.Watch(_listener!, Accept));
            _port.Notice($"a front-end cannot be let in: {e.Message}");
            return null;
        }
    }

    private void AdmitWaiting()
    {
        if (_waiting is not { } socket)
            return;
        _reactor.Unwatch(socket, _waitingToken);
        _waiting = null;
        _listenerToken = _reactor.Watch(_listener!, Accept);
        Open(socket);
    }

    private void DropWaiting()
    {
        if (_waiting is not { } socket)
            return;
        _reactor.Unwatch(socket, _waitingToken);
        _waiting = null;
        socket.Dispose();
    }

    private void Connect()
    {
        try
        {
            Open(UnixSocket.Connect(_port.Spec.SocketPath));
        }
        catch (NativeException e)
        {
            // Not there yet, or not for us: keep trying, as the state says.
            _port.ConnectError = e.Reason;
            _timer = _reactor.After(ReconnectEvery, Connect);
        }
    }

    private void Open(FileDescriptor socket)
    {
        var device = new NetBackEnd(_port);
        var session = new BackEndSession(new MessageChannel(socket), device)
        {
            Refused = _port.OnRefused,
        };
        var connection = new Connection(session, device, UnixSocket.Peer(socket));
        device.Resume = () => OnReadable(connection);
        _connection = connection;
        Listen(connection);
        _port.OnConnected();
        Charge(connection, ConnectionCost);
    }

    private void Listen(Connection connection) =>
        connection.Token = _reactor.Watch(connection.Session.Channel.Socket, () => OnReadable(connection));

    private void OnReadable(Connection connection)
    {
        if (_connection != connection)
            return;
        long before = connection.Session.Channel.MessagesReceived;
        var state = connection.Session.Process(MessagesPerTurn);
        _port.OnMessages(connection.Session.Channel.Request, connection.Session.Channel.MessagesReceived);
        if (state != SessionState.Open)
        {
            End(connection, connection.Session.Problem);
            return;
        }
        WatchPartial(connection);
        Charge(connection, connection.Session.Channel.MessagesReceived - before);
    }

    /// <summary>Takes what was done from the port's budget; without any left, the front-end is not heard for a while.</summary>
    private void Charge(Connection connection, long messages)
    {
        if (_budget.Spend(messages) is not { } wait || connection.Pause != null)
            return;
        _port.OnFlood();
        var socket = connection.Session.Channel.Socket;
        _reactor.Unwatch(socket, connection.Token);
        connection.Token = _reactor.WatchEnd(socket, () => End(connection, Verdict.Done));
        connection.Pause = _reactor.After(wait, () =>
        {
            connection.Pause = null;
            _reactor.Unwatch(socket, connection.Token);
            Listen(connection);
        });
    }

    /// <summary>Each message has its own time to become whole.</summary>
    private void WatchPartial(Connection connection)
    {
        var channel = connection.Session.Channel;
        if (!channel.IsPartial || connection.PartialAfter != channel.MessagesReceived)
            connection.StopDeadline();
        if (!channel.IsPartial || connection.Deadline != null)
            return;
        connection.PartialAfter = channel.MessagesReceived;
        connection.Deadline = _reactor.After(MessageDeadline, () => End(connection, Unended));
    }

    private void End(Connection connection, Verdict problem)
    {
        if (_connection != connection)
            return;
        Close();
        _port.OnDisconnected(problem);
        AdmitWaiting();
        if (_port.Spec.Mode == SocketMode.Connect && !_disposed)
            _timer = _reactor.After(ReconnectEvery, Connect);
    }

    private void Close()
    {
        if (_connection is not { } connection)
            return;
        _connection = null;
        connection.StopDeadline();
        connection.Pause?.Dispose();
        _reactor.Unwatch(connection.Session.Channel.Socket, connection.Token);
        connection.Session.Dispose();
        connection.Device.Dispose();
    }

    private sealed class Connection(BackEndSession session, NetBackEnd device, (int, uint) peer)
    {
        public BackEndSession Session { get; } = session;

        public NetBackEnd Device { get; } = device;

        public (int Pid, uint Uid) Peer { get; } = peer;

        public ulong Token { get; set; }

        public IDisposable? Deadline { get; set; }

        /// <summary>Ends the time in which it is not heard.</summary>
        public IDisposable? Pause { get; set; }

        /// <summary>How many messages came before the one that the deadline is for.</summary>
        public long PartialAfter { get; set; }

        public void StopDeadline()
        {
            Deadline?.Dispose();
            Deadline = null;
        }
    }
}
