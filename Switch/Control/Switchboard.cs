using InterGuest.Switch.DataPath;
using InterGuest.Switch.Ports;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Control;

/// <summary>
/// The one place that makes, changes and removes ports and links. All members but <see cref="InvokeAsync"/> are for the
/// control thread.
/// </summary>
public sealed class Switchboard : IPortHost, IDisposable
{
    private readonly SortedDictionary<string, Port> _ports = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Link> _links = new(StringComparer.Ordinal);
    private readonly Dictionary<Port, (PortState State, string Fault)> _told = [];
    private readonly SwitchOptions _options;
    private readonly TimeProvider _time;
    private readonly Reactor _reactor;
    private readonly EventLoop[] _loops;
    private readonly Wiring _wiring;
    private bool _closing;

    /// <summary>Makes a switch without ports, and starts its threads.</summary>
    /// <param name="options">How to run.</param>
    /// <param name="time">The clock.</param>
    /// <param name="failed">Told of exceptions nobody waits for: faults of ours.</param>
    public Switchboard(SwitchOptions options, TimeProvider time, Action<Exception> failed)
    {
        (_options, _time) = (options, time);
        Started = time.GetUtcNow();
        _reactor = new Reactor { Failed = failed };
        _loops = [.. Enumerable.Range(0, options.EventLoops).Select(i => new EventLoop(i) { Failed = failed })];
        _wiring = new Wiring(_loops);
        foreach (var loop in _loops)
        {
            loop.RingFault = (end, fault) => _reactor.Post(() => OnRingFault(end, fault));
            loop.Start();
        }
        _reactor.Start();
    }

    /// <summary>Told of everything that happens, on the control thread.</summary>
    public event Action<SwitchEvent>? Happened;

    /// <summary>Told when what is to be stored is not as it was, on the control thread.</summary>
    public event Action? Reconfigured;

    /// <summary>When the switch started.</summary>
    public DateTimeOffset Started { get; }

    /// <summary>The ports, by name.</summary>
    public IReadOnlyCollection<Port> Ports => _ports.Values;

    /// <summary>The links, by name.</summary>
    public IReadOnlyCollection<Link> Links => _links.Values;

    /// <summary>Does something on the control thread.</summary>
    public Task<T> InvokeAsync<T>(Func<T> work) => _reactor.InvokeAsync(work);

    /// <summary>Done when each thread of the switch has answered. From any thread.</summary>
    public Task ThreadsAnswerAsync() => Task.WhenAll(_loops.Select(l => l.InvokeAsync(() => true)).Append(_reactor.InvokeAsync(() => true)));

    /// <summary>Makes a port and opens its socket.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="mode">Who opens the socket.</param>
    /// <param name="socketPath">Where; empty: by its name in the socket directory.</param>
    /// <param name="queuePairs">Pairs of virtqueues; of a block device, queues.</param>
    /// <param name="offeredBefore">What the port offered in an earlier life.</param>
    /// <param name="type">Of the device.</param>
    /// <exception cref="SwitchException">It cannot be made.</exception>
    public Port CreatePort(
        string name, SocketMode mode, string socketPath, int queuePairs, ulong offeredBefore = 0, PortType type = PortType.Net)
    {
        Names.Check("name", name);
        if (queuePairs is < 1 or > PortSpec.MaxQueuePairs)
            throw new SwitchException(SwitchError.Invalid, $"queue_pairs: {queuePairs} is not between 1 and {PortSpec.MaxQueuePairs}");
        if (queuePairs > 1 && type is not (PortType.Net or PortType.Block))
            throw new SwitchException(SwitchError.Invalid, $"queue_pairs: a port of type {type.Word()} has 1, not {queuePairs}");
        if (_ports.ContainsKey(name))
            throw new SwitchException(SwitchError.AlreadyExists, $"port {name} exists already. Choose another name, or remove it first: interguest port remove {name}");
        string path = SocketPath(name, socketPath);
        var port = new Port(name, new PortSpec(mode, path, queuePairs, type), offeredBefore, this, _reactor, _time);
        _ports.Add(name, port);
        _wiring.Add(port);
        _told.Add(port, (port.State, ""));
        Tell(EventKind.Created, $"port {name} is {SnakeCase.Of(port.State)} at {path}", port, null);
        Reconfigured?.Invoke();
        return port;
    }

    /// <summary>The port of that name.</summary>
    /// <exception cref="SwitchException">There is none.</exception>
    public Port GetPort(string name) => _ports.GetValueOrDefault(name)
        ?? throw new SwitchException(SwitchError.NotFound, $"there is no port {name}. 'interguest port list' shows those there are");

    /// <summary>Removes a port.</summary>
    /// <exception cref="SwitchException">There is none, or a link uses it.</exception>
    public void DeletePort(string name)
    {
        var port = GetPort(name);
        if (LinksOf(port) is [var link, ..])
            throw new SwitchException(SwitchError.Precondition, $"port {name} is used by link {link.Name}. Remove that first: interguest link remove {link.Name}");
        _ports.Remove(name);
        _told.Remove(port);
        _wiring.Remove(port);
        port.Dispose();
        Tell(EventKind.Deleted, $"port {name} is removed", port, null);
        Reconfigured?.Invoke();
    }

    /// <summary>Joins two ports.</summary>
    /// <exception cref="SwitchException">They cannot be joined.</exception>
    public Link CreateLink(string name, IReadOnlyList<string> ports, TimeSpan? hold, bool adminUp = true)
    {
        Names.Check("name", name);
        if (ports.Count != 2 || ports[0] == ports[1])
            throw new SwitchException(SwitchError.Invalid, "ports: a link joins two different ports");
        if (hold is { } time && (time < TimeSpan.Zero || time > Link.MaxHold))
            throw new SwitchException(SwitchError.Invalid, $"hold: {time} is not between 0 and {Link.MaxHold.TotalSeconds} seconds");
        if (_links.ContainsKey(name))
            throw new SwitchException(SwitchError.AlreadyExists, $"link {name} exists already. Choose another name, or remove it first: interguest link remove {name}");
        Port first = Unlinked(ports[0]), second = Unlinked(ports[1]);
        CheckTypes(first, second);
        var link = new Link(name, first, second, hold ?? Link.DefaultHold, adminUp, _wiring.LoopFor(first, second), _time);
        _links.Add(name, link);
        _wiring.Connect(link);
        link.Update();
        Tell(EventKind.Created, $"link {name} joins {first.Name} and {second.Name}: {Describe(link)}", null, link);
        Reconfigured?.Invoke();
        return link;
    }

    /// <summary>The link of that name.</summary>
    /// <exception cref="SwitchException">There is none.</exception>
    public Link GetLink(string name) => _links.GetValueOrDefault(name)
        ?? throw new SwitchException(SwitchError.NotFound, $"there is no link {name}. 'interguest link list' shows those there are");

    /// <summary>Removes a link. The ports stay.</summary>
    /// <exception cref="SwitchException">There is none.</exception>
    public void DeleteLink(string name)
    {
        var link = GetLink(name);
        _links.Remove(name);
        _wiring.Disconnect(link);
        Tell(EventKind.Deleted, $"link {name} is removed", null, link);
        Reconfigured?.Invoke();
    }

    /// <summary>Sets a link up or down.</summary>
    /// <exception cref="SwitchException">There is none.</exception>
    public Link SetLinkUp(string name, bool up)
    {
        var link = GetLink(name);
        if (link.AdminUp == up)
            return link;
        link.AdminUp = up;
        _wiring.Refresh(link);
        UpdateLink(link);
        Reconfigured?.Invoke();
        return link;
    }

    /// <summary>The links a port is in, by name.</summary>
    public IReadOnlyList<Link> LinksOf(Port port) => _wiring.LinksOf(port);

    /// <summary>Ends everything: guests see their cables pulled.</summary>
    public void Dispose()
    {
        if (_closing)
            return;
        _reactor.Invoke(() =>
        {
            _closing = true;
            foreach (var port in _ports.Values)
            {
                _wiring.Pause(port);
                port.Dispose();
            }
        });
        _reactor.Dispose();
        foreach (var loop in _loops)
            loop.Dispose();
    }

    void IPortHost.Pause(Port port) => _wiring.Pause(port);

    void IPortHost.Resume(Port port) => _wiring.Resume(port);

    void IPortHost.InLoop(Port port, Action action) => _wiring.InLoop(port, action);

    void IPortHost.Announce(Port port, byte[] frame) => _wiring.Announce(port, frame);

    ulong? IPortHost.PeerAccepted(Port port) => LinksOf(port) is [var link] ? link.Peer(port).Accepted : null;

    void IPortHost.Notice(Port port, string what) => Tell(EventKind.Changed, $"port {port.Name}: {what}", port, null);

    void IPortHost.Changed(Port port)
    {
        if (_closing || !_told.TryGetValue(port, out var told))
            return;
        if (told != (port.State, port.FaultReason))
        {
            _told[port] = (port.State, port.FaultReason);
            string why = port.FaultReason == "" ? "" : $": {port.FaultReason}";
            Tell(EventKind.Changed, $"port {port.Name} is {SnakeCase.Of(port.State)}{why}", port, null);
        }
        foreach (var link in LinksOf(port))
            UpdateLink(link);
    }

    void IPortHost.OfferGrew(Port port) => Reconfigured?.Invoke();

    private void UpdateLink(Link link)
    {
        if (link.Update())
            Tell(EventKind.Changed, $"link {link.Name} is {Describe(link)}", null, link);
    }

    private void OnRingFault(QueueEnd end, Virtio.Queues.QueueFault fault)
    {
        foreach (var port in _ports.Values)
            port.OnRingFault(end, fault);
    }

    private Port Unlinked(string name)
    {
        var port = GetPort(name);
        return !port.Spec.Type.TakesManyLinks() && LinksOf(port) is [var link, ..]
            ? throw new SwitchException(SwitchError.Precondition, $"port {name} is linked already, by link {link.Name}. Remove that first: interguest link remove {link.Name}")
            : port;
    }

    private static void CheckTypes(Port first, Port second)
    {
        PortType a = first.Spec.Type, b = second.Spec.Type;
        if (a.Peer() != b)
            throw new SwitchException(
                SwitchError.Precondition,
                $"ports: {first.Name} is of type {a.Word()} and {second.Name} of type {b.Word()}; a link joins {a.Word()} with {a.Peer().Word()}");
    }

    private string SocketPath(string name, string socketPath)
    {
        string path = socketPath == "" ? Path.Combine(_options.SocketDirectory, name + ".sock") : socketPath;
        if (!Path.IsPathFullyQualified(path))
            throw new SwitchException(SwitchError.Invalid, $"socket_path: {path} is not absolute");
        if (path.Contains('\0', StringComparison.Ordinal))
            throw new SwitchException(SwitchError.Invalid, "socket_path: a path has no zero byte");
        if (!UnixSocket.Fits(path))
            throw new SwitchException(
                SwitchError.Invalid, $"socket_path: {path} is longer than the {UnixSocket.MaxPathBytes} bytes that a socket's path may have. Choose a shorter one");
        if (socketPath == "")
            MakeSocketDirectory();
        if (_ports.Values.FirstOrDefault(p => p.Spec.SocketPath == path) is { } other)
            throw new SwitchException(SwitchError.Precondition, $"socket {path} is in use by port {other.Name}. Choose another path");
        return path;
    }

    private void MakeSocketDirectory()
    {
        try
        {
            Directory.CreateDirectory(_options.SocketDirectory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SwitchException(
                SwitchError.Precondition, $"the socket directory {_options.SocketDirectory} cannot be made: {e.Message} Give the port a path with --socket, or the switch another directory with --socket-dir");
        }
    }

    private static string Describe(Link link) => link.Reason == "" ? "up" : $"{SnakeCase.Of(link.State)} ({link.Reason})";

    private void Tell(EventKind kind, string text, Port? port, Link? link) =>
        Happened?.Invoke(new SwitchEvent(_time.GetUtcNow(), kind, text, port, link));
}
