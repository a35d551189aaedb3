using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Capture;
using InterGuest.Switch.Negotiation;
using InterGuest.Switch.Negotiation.Replug;
using InterGuest.Switch.Ports;
using InterGuest.Switch.Ports.Models;
using InterGuest.Virtio.Devices;

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
    private readonly ReplugRunner _replugs;
    private readonly RoundsRunner _rounds;
    private readonly DiskRunner _disks;
    private readonly CarrierRunner _carriers;
    private bool _closing;
    private bool _batching;

    /// <summary>Makes a switch without ports, and starts its threads.</summary>
    /// <param name="options">How to run.</param>
    /// <param name="time">The clock.</param>
    /// <param name="failed">Told of exceptions nobody waits for: faults of ours.</param>
    public Switchboard(SwitchOptions options, TimeProvider time, Action<Exception> failed)
    {
        (_options, _time) = (options, time);
        Started = time.GetUtcNow();
        _reactor = new Reactor { Failed = failed };
        _loops = [.. Enumerable.Range(0, options.EventLoops).Select(i => new EventLoop(i, options.BusyPoll)
        {
            Failed = failed,
            Cpu = options.Cpus.Count > 0 ? options.Cpus[i % options.Cpus.Count] : null,
        })];
        _wiring = new Wiring(_loops, time);
        _replugs = new ReplugRunner(_reactor, time, Tell);
        _rounds = new RoundsRunner(_reactor, _wiring, link => !_closing && _links.GetValueOrDefault(link.Name) == link, Tell);
        _disks = new DiskRunner(_reactor, _wiring, () => _links.Values, Tell, OnReconfigured);
        _carriers = new CarrierRunner(_reactor, _wiring, time, Started, port => !_closing && _told.ContainsKey(port));
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

    /// <summary>Where listening sockets come from and go to at the ends of the process's life.</summary>
    public SocketKeeper Sockets { get; init; } = SocketKeeper.None;

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
    /// <param name="wanted">What its owner asks for; an empty path: by the port's name in the socket directory.</param>
    /// <param name="offeredBefore">What the port offered in an earlier life.</param>
    /// <param name="disk">Of a block port: the disk that its guest saw in an earlier life.</param>
    /// <param name="qmpSocket">Of its VMM; empty: none.</param>
    /// <exception cref="SwitchException">It cannot be made.</exception>
    public Port CreatePort(string name, PortSpec wanted, ulong offeredBefore = 0, BlockAnnouncement? disk = null, string qmpSocket = "")
    {
        Rules.Check(name, wanted);
        if (_ports.ContainsKey(name))
            throw new SwitchException(SwitchError.AlreadyExists, $"port {name} exists already. Choose another name, or remove it first: interguest port remove {name}");
        Rules.CheckQmp(qmpSocket);
        var spec = wanted with { SocketPath = SocketPath(name, wanted.SocketPath) };
        var port = new Port(name, spec, offeredBefore, disk, this, _reactor, _time) { QmpSocket = qmpSocket };
        _ports.Add(name, port);
        _wiring.Add(port);
        _told.Add(port, (port.State, ""));
        if (port.Model is BlockServerModel server)
            server.Session.Announced = () => _reactor.Post(() => OnAnnounced(port));
        _carriers.Begin(port);
        Tell(EventKind.Created, $"port {name} is {SnakeCase.Of(port.State)} at {spec.SocketPath}", port, null);
        OnReconfigured();
        return port;
    }

    /// <summary>Makes a port of a type, with nothing unusual about it.</summary>
    /// <inheritdoc cref="CreatePort(string, PortSpec, ulong, BlockAnnouncement, string)"/>
    public Port CreatePort(
        string name, SocketMode mode, string socketPath, int queuePairs, ulong offeredBefore = 0, PortType type = PortType.Net,
        BlockAnnouncement? disk = null) => CreatePort(name, new PortSpec(mode, socketPath, queuePairs, type), offeredBefore, disk);

    /// <summary>Does several changes, which are stored once, at the end.</summary>
    public void Batch(Action changes)
    {
        _batching = true;
        try
        {
            changes();
        }
        finally
        {
            _batching = false;
            OnReconfigured();
        }
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
        OnReconfigured();
    }

    /// <summary>Joins two ports.</summary>
    /// <exception cref="SwitchException">They cannot be joined.</exception>
    public Link CreateLink(
        string name, IReadOnlyList<string> ports, TimeSpan? hold, bool adminUp = true, TimeSpan? failAfter = null, LinkPolicy policy = LinkPolicy.Auto)
    {
        Rules.Check(name, ports, hold);
        if (_links.ContainsKey(name))
            throw new SwitchException(SwitchError.AlreadyExists, $"link {name} exists already. Choose another name, or remove it first: interguest link remove {name}");
        Port first = Unlinked(ports[0]), second = Unlinked(ports[1]);
        Rules.CheckTypes((first.Name, first.Spec.Type), (second.Name, second.Spec.Type));
        if (failAfter is { } after && (first.Spec.Type is not (PortType.Block or PortType.BlockServer) || after <= TimeSpan.Zero || after > Link.MaxFailAfter))
            throw new SwitchException(
                SwitchError.Invalid, $"fail_after: {after} is not more than 0 and at most {Link.MaxFailAfter.TotalHours} hours, of a link of a block port");
        if (policy != LinkPolicy.Auto && first.Spec.Type != PortType.Net)
            throw new SwitchException(SwitchError.Invalid, "policy: only a link of network ports has one");
        var negotiation = new LinkNegotiation([first, second], policy, _options.RoundsBit);
        var link = new Link(name, first, second, hold ?? Link.DefaultHold, adminUp, negotiation, _wiring.LoopFor(first, second), _time) { FailAfter = failAfter };
        DiskRunner.Check(link);
        _links.Add(name, link);
        negotiation.Update(); // before the first frame
        _wiring.Connect(link);
        _disks.Show(link);
        _disks.Watch();
        link.Update();
        _rounds.WatchAnswers(link);
        _carriers.FollowSoon(link.Ports);
        Tell(EventKind.Created, $"link {name} joins {first.Name} and {second.Name}: {Describe(link)}", null, link);
        ReplugByPolicy(link); // of guests that run already
        OnReconfigured();
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
        link.Removed = true;
        _wiring.Disconnect(link, between: () => _disks.Leave(link));
        _carriers.FollowSoon(link.Ports);
        Tell(EventKind.Deleted, $"link {name} is removed", null, link);
        OnReconfigured();
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
        OnReconfigured();
        return link;
    }

    /// <summary>The threads that move frames, with the number of links of each.</summary>
    public IEnumerable<(EventLoop Loop, int Links)> Loops => _loops.Select(loop => (loop, _links.Values.Count(l => l.Loop == loop)));

    /// <summary>Gives a link to another thread. No frame is lost; a disk's server takes its other links with it.</summary>
    /// <param name="name">Of the link.</param>
    /// <param name="loop">The thread's number, from 0.</param>
    /// <exception cref="SwitchException">There is no such link, or no such thread.</exception>
    public Link MoveLink(string name, uint loop)
    {
        var link = GetLink(name);
        if (loop >= _loops.Length)
            throw new SwitchException(SwitchError.Invalid, $"loop: there is no loop {loop}: this switch has {_loops.Length}, from 0. It is started with --loops N to have more");
        if (link.Loop.Index != loop)
            foreach (var moved in _wiring.Move(link, _loops[loop]))
                Tell(moved, $"is moved to loop {loop}");
        return link;
    }

    /// <summary>Shows the frames of a link to a ring from now on.</summary>
    /// <exception cref="SwitchException">There is no such link, or too many look at it already.</exception>
    public Link StartCapture(string name, CaptureRing ring)
    {
        var link = GetLink(name);
        if (link.Ports[0].Spec.Type != PortType.Net)
            throw new SwitchException(SwitchError.Precondition, $"link {name} joins no network ports: it has no frames to capture");
        if (link.Captures.Count == Link.MaxCaptures)
            throw new SwitchException(SwitchError.Precondition, $"link {name} is captured {Link.MaxCaptures} times already. End one of them");
        link.Captures.Add(ring);
        _wiring.Retap(link);
        return link;
    }

    /// <summary>Ends it.</summary>
    public void StopCapture(Link link, CaptureRing ring)
    {
        if (link.Captures.Remove(ring) && !link.Removed)
            _wiring.Retap(link);
    }

    /// <summary>The links a port is in, by name.</summary>
    public IReadOnlyList<Link> LinksOf(Port port) => _wiring.LinksOf(port);

    /// <summary>Begins to take what does not fit from the guests of a link, by plugging their devices out and in again.</summary>
    /// <exception cref="SwitchException">There is no such link, nothing to do, or no way to do it.</exception>
    public Link ReplugLink(string name)
    {
        var link = GetLink(name);
        var due = link.Ports.Select(p => (Port: p, Excess: ReplugRunner.Excess(p, link.Peer(p)))).Where(p => p.Excess != 0).ToList();
        if (due.Count == 0)
            throw new SwitchException(SwitchError.Precondition, $"there is nothing to re-plug on link {name}: what its guests use fits, or they have not said yet what they use");
        foreach (var (port, _) in due)
        {
            if (port.QmpSocket == "")
                throw new SwitchException(SwitchError.Precondition, $"port {port.Name} has no QMP socket. Start QEMU with -qmp unix:PATH,server=on,wait=off, and say: interguest port set {port.Name} --qmp PATH");
            if (port.Replug is { State: ReplugState.Running })
                throw new SwitchException(SwitchError.Precondition, $"a re-plug of port {port.Name} goes on already: {port.Replug.Text}");
        }
        foreach (var (port, excess) in due)
            _replugs.Begin(port, excess);
        return link;
    }

    /// <summary>Changes a port that may be in use.</summary>
    /// <param name="name">Of the port.</param>
    /// <param name="limits">How much its guest may move; null: as before.</param>
    /// <param name="followsPeer">Whether its guest's carrier follows the other end; null: as before.</param>
    /// <param name="qmpSocket">Where the VMM of its guest takes QMP commands; empty: nowhere; null: as before.</param>
    /// <exception cref="SwitchException">There is no such port, or it cannot be so.</exception>
    public Port SetPort(string name, PortLimits? limits = null, bool? followsPeer = null, string? qmpSocket = null)
    {
        var port = GetPort(name);
        limits?.Check(port.Spec.Type);
        Rules.CheckCarrier(followsPeer == true, port.Spec.Type);
        Rules.CheckQmp(qmpSocket ?? "");
        if (limits != null && limits != port.Spec.Limits)
        {
            port.SetLimits(limits);
            Tell(port, $"{limits}");
        }
        if (followsPeer is { } follows && follows != port.Spec.FollowsPeer)
        {
            port.SetFollowsPeer(follows);
            Tell(port, $"its carrier {(follows ? "follows the other end" : "is kept")}");
        }
        if (qmpSocket != null && qmpSocket != port.QmpSocket)
        {
            port.QmpSocket = qmpSocket;
            Tell(port, $"QMP socket {(qmpSocket == "" ? "none" : qmpSocket)}");
            foreach (var link in LinksOf(port).ToArray())
                UpdateLink(link);
        }
        OnReconfigured();
        return port;
    }

    /// <summary>Ends everything: guests see their cables pulled.</summary>
    public void Dispose()
    {
        if (_closing)
            return;
        _reactor.Invoke(() =>
        {
            _closing = true;
            Sockets.HandOver();
            _replugs.Dispose();
            _disks.Dispose();
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

    void IPortHost.Abandon(Port client) => _disks.Abandon(client);

    void IPortHost.InLoop(Port port, Action action) => _wiring.InLoop(port, action);

    void IPortHost.Announce(Port port, byte[] frame) => _wiring.Announce(port, frame);

    ulong IPortHost.RoundsBit => _options.RoundsBit;

    ulong IPortHost.Offer(Port port) => LinksOf(port) is not [var link]
        ? LinkNegotiation.OfferUnlinked(port, _options.RoundsBit)
        : port.Round.Kind == RoundKind.Rounds ? link.Negotiation.OfferInRounds(port) : link.Negotiation.OfferOutside(port);

    void IPortHost.Notice(Port port, string what) => Tell(port, what);

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
        foreach (var link in LinksOf(port).ToArray())
            UpdateLink(link);
        _carriers.FollowSoon([port]);
    }

    void IPortHost.OfferGrew(Port port) => OnReconfigured();

    private void OnReconfigured()
    {
        if (!_batching)
            Reconfigured?.Invoke();
    }

    private void UpdateLink(Link link)
    {
        _rounds.Update(link);
        if (link.Update())
            Tell(EventKind.Changed, $"link {link.Name} is {Describe(link)}", null, link);
        _carriers.FollowSoon(link.Ports);
        foreach (var port in link.Ports)
            _replugs.OnChanged(port);
        ReplugByPolicy(link);
    }

    private void ReplugByPolicy(Link link)
    {
        foreach (var port in link.Ports)
            if (link.Negotiation.Policy == LinkPolicy.Replug && ReplugRunner.IsDue(port, link.Peer(port)))
                _replugs.Begin(port, ReplugRunner.Excess(port, link.Peer(port)));
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

    /// <summary>The guests of a server's links hear what it serves.</summary>
    private void OnAnnounced(Port server)
    {
        if (_closing || !_told.ContainsKey(server))
            return;
        var session = ((BlockServerModel)server.Model).Session;
        if (session.Refusal != "")
            Tell(server, $"its server announces {session.Refusal}. Refused");
        foreach (var link in LinksOf(server))
        {
            _disks.Show(link);
            UpdateLink(link);
        }
    }

    private string SocketPath(string name, string socketPath)
    {
        string path = socketPath == "" ? Path.Combine(_options.SocketDirectory, name + ".sock") : socketPath;
        Rules.CheckPath(path);
        // Also for a path that was stored: a reboot empties /run.
        if (Path.GetDirectoryName(path) == Path.TrimEndingDirectorySeparator(_options.SocketDirectory))
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

    private void Tell(Port port, string text) => Tell(EventKind.Changed, $"port {port.Name}: {text}", port, null);

    private void Tell(Link link, string text) => Tell(EventKind.Changed, $"link {link.Name}: {text}", null, link);

    private void Tell(EventKind kind, string text, Port? port, Link? link) =>
        Happened?.Invoke(new SwitchEvent(_time.GetUtcNow(), kind, text, port, link));
}
