using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Capture;
using InterGuest.Switch.Negotiation;
using InterGuest.Switch.Negotiation.Replug;
using InterGuest.Switch.Ports;
using InterGuest.Switch.Ports.Models;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Control;

/// <summary>
/// The one place that makes, changes and removes ports and links. All members but <see cref="InvokeAsync"/> are for the
/// control thread.
/// </summary>
public sealed class Switchboard : IPortHost, IDisposable
{
    /// <summary>How often is looked for requests that have waited too long.</summary>
    private static readonly TimeSpan ExpiryEvery = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a VMM that has not connected yet is waited for, after our start, before guests at the other end lose their carriers.</summary>
    private static readonly TimeSpan PeersComeWithin = TimeSpan.FromSeconds(10);

    /// <summary>How long a guest may take for a round before its owner is told.</summary>
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(10);

    private readonly SortedDictionary<string, Port> _ports = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Link> _links = new(StringComparer.Ordinal);
    private readonly Dictionary<Port, (PortState State, string Fault)> _told = [];
    private readonly SwitchOptions _options;
    private readonly TimeProvider _time;
    private readonly Reactor _reactor;
    private readonly EventLoop[] _loops;
    private readonly Wiring _wiring;
    private IDisposable? _expiring;
    private readonly ReplugRunner _replugs;
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
        _loops = [.. Enumerable.Range(0, options.EventLoops).Select(i => new EventLoop(i, options.BusyPoll) { Failed = failed })];
        _wiring = new Wiring(_loops);
        _replugs = new ReplugRunner(_reactor, time, (port, text) => Tell(EventKind.Changed, $"port {port.Name}: {text}", port, null));
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
        CheckPort(name, wanted);
        if (_ports.ContainsKey(name))
            throw new SwitchException(SwitchError.AlreadyExists, $"port {name} exists already. Choose another name, or remove it first: interguest port remove {name}");
        CheckQmp(qmpSocket);
        var spec = wanted with { SocketPath = SocketPath(name, wanted.SocketPath) };
        var port = new Port(name, spec, offeredBefore, disk, this, _reactor, _time) { QmpSocket = qmpSocket };
        _ports.Add(name, port);
        _wiring.Add(port);
        _told.Add(port, (port.State, ""));
        if (port.Model is BlockServerModel server)
            server.Session.Announced = () => _reactor.Post(() => OnAnnounced(port));
        if (spec.FollowsPeer)
            _reactor.After(PeersComeWithin, () => Follow(port));
        Tell(EventKind.Created, $"port {name} is {SnakeCase.Of(port.State)} at {spec.SocketPath}", port, null);
        OnReconfigured();
        return port;
    }

    /// <summary>Makes a port of a type, with nothing unusual about it.</summary>
    /// <inheritdoc cref="CreatePort(string, PortSpec, ulong, BlockAnnouncement, string)"/>
    public Port CreatePort(
        string name, SocketMode mode, string socketPath, int queuePairs, ulong offeredBefore = 0, PortType type = PortType.Net,
        BlockAnnouncement? disk = null) => CreatePort(name, new PortSpec(mode, socketPath, queuePairs, type), offeredBefore, disk);

    /// <summary>Checks what is right or wrong about a port whatever else there is.</summary>
    /// <exception cref="SwitchException">It can never be; the message begins with the field's name.</exception>
    public static void CheckPort(string name, PortSpec spec)
    {
        Names.Check("name", name);
        if (spec.QueuePairs is < 1 or > PortSpec.MaxQueuePairs)
            throw new SwitchException(SwitchError.Invalid, $"queue_pairs: {spec.QueuePairs} is not between 1 and {PortSpec.MaxQueuePairs}");
        if (spec.QueuePairs > 1 && spec.Type is not (PortType.Net or PortType.Block))
            throw new SwitchException(SwitchError.Invalid, $"queue_pairs: a port of type {spec.Type.Word()} has 1, not {spec.QueuePairs}");
        if (spec.SocketPath != "")
            CheckPath(spec.SocketPath);
        spec.Access.Check();
        spec.Limits.Check(spec.Type);
        CheckCarrier(spec.FollowsPeer, spec.Type);
        if (spec.Mode == SocketMode.Connect && spec.Access != SocketAccess.Default)
            throw new SwitchException(SwitchError.Invalid, "socket_owner, socket_group and socket_mode: in mode connect the front-end makes the socket, and says whose it is");
    }

    /// <summary>Checks what is right or wrong about a link whatever else there is.</summary>
    /// <exception cref="SwitchException">It can never be; the message begins with the field's name.</exception>
    public static void CheckLink(string name, IReadOnlyList<string> ports, TimeSpan? hold)
    {
        Names.Check("name", name);
        if (ports.Count != 2 || ports[0] == ports[1])
            throw new SwitchException(SwitchError.Invalid, "ports: a link joins two different ports");
        if (hold is { } time && (time < TimeSpan.Zero || time > Link.MaxHold))
            throw new SwitchException(SwitchError.Invalid, $"hold: {time} is not between 0 and {Link.MaxHold.TotalSeconds} seconds");
    }

    /// <summary>Checks that ports of two types can be linked.</summary>
    /// <exception cref="SwitchException">They cannot.</exception>
    public static void CheckTypes((string Name, PortType Type) first, (string Name, PortType Type) second)
    {
        if (first.Type.Peer() != second.Type)
            throw new SwitchException(
                SwitchError.Precondition,
                $"ports: {first.Name} is of type {first.Type.Word()} and {second.Name} of type {second.Type.Word()}; a link joins {first.Type.Word()} with {first.Type.Peer().Word()}");
    }

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
        CheckLink(name, ports, hold);
        if (_links.ContainsKey(name))
            throw new SwitchException(SwitchError.AlreadyExists, $"link {name} exists already. Choose another name, or remove it first: interguest link remove {name}");
        Port first = Unlinked(ports[0]), second = Unlinked(ports[1]);
        CheckTypes((first.Name, first.Spec.Type), (second.Name, second.Spec.Type));
        if (failAfter is { } after && (first.Spec.Type is not (PortType.Block or PortType.BlockServer) || after <= TimeSpan.Zero || after > Link.MaxFailAfter))
            throw new SwitchException(
                SwitchError.Invalid, $"fail_after: {after} is not more than 0 and at most {Link.MaxFailAfter.TotalHours} hours, of a link of a block port");
        if (policy != LinkPolicy.Auto && first.Spec.Type != PortType.Net)
            throw new SwitchException(SwitchError.Invalid, "policy: only a link of network ports has one");
        var negotiation = new LinkNegotiation([first, second], policy, _options.RoundsBit);
        var link = new Link(name, first, second, hold ?? Link.DefaultHold, adminUp, negotiation, _wiring.LoopFor(first, second), _time) { FailAfter = failAfter };
        CheckDisk(link);
        _links.Add(name, link);
        negotiation.Update(); // before the first frame
        _wiring.Connect(link);
        ShowDisk(link);
        WatchExpiry();
        link.Update();
        WatchAnswers(link);
        FollowSoon(link.Ports);
        Tell(EventKind.Created, $"link {name} joins {first.Name} and {second.Name}: {Describe(link)}", null, link);
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
        _wiring.Disconnect(link);
        FollowSoon(link.Ports);
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

    /// <summary>Fails requests that have waited for longer than their link lets them. Comes again and again while there are such links.</summary>
    private void ExpireRequests()
    {
        _expiring = null;
        foreach (var link in _links.Values)
            if (link is { FailAfter: { } after, Disk: var (client, _) } && client.Model is BlockModel model)
                _wiring.InLoop(client, () =>
                {
                    foreach (var queue in model.Client.Queues)
                        queue.Join?.Expire(after);
                });
        WatchExpiry();
    }

    private void WatchExpiry()
    {
        if (_expiring == null && !_closing && _links.Values.Any(l => l.FailAfter != null))
            _expiring = _reactor.After(ExpiryEvery, ExpireRequests);
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
        CheckCarrier(followsPeer == true, port.Spec.Type);
        CheckQmp(qmpSocket ?? "");
        if (limits != null && limits != port.Spec.Limits)
        {
            port.SetLimits(limits);
            Tell(EventKind.Changed, $"port {name}: {limits}", port, null);
        }
        if (followsPeer is { } follows && follows != port.Spec.FollowsPeer)
        {
            port.SetFollowsPeer(follows);
            Tell(EventKind.Changed, $"port {name}: its carrier {(follows ? "follows the other end" : "is kept")}", port, null);
        }
        if (qmpSocket != null && qmpSocket != port.QmpSocket)
        {
            port.QmpSocket = qmpSocket;
            Tell(EventKind.Changed, $"port {name}: QMP socket {(qmpSocket == "" ? "none" : qmpSocket)}", port, null);
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

    void IPortHost.Abandon(Port client)
    {
        foreach (var link in LinksOf(client))
            if (link.Peer(client).Model is BlockServerModel server)
                _wiring.InLoop(client, server.Session.Restart);
    }

    void IPortHost.InLoop(Port port, Action action) => _wiring.InLoop(port, action);

    void IPortHost.Announce(Port port, byte[] frame) => _wiring.Announce(port, frame);

    ulong IPortHost.RoundsBit => _options.RoundsBit;

    ulong IPortHost.Offer(Port port) => LinksOf(port) is not [var link]
        ? LinkNegotiation.OfferUnlinked(port, _options.RoundsBit)
        : port.Round.Kind == RoundKind.Rounds ? link.Negotiation.OfferInRounds(port) : link.Negotiation.OfferOutside(port);

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
        foreach (var link in LinksOf(port).ToArray())
            UpdateLink(link);
        FollowSoon([port]);
    }

    void IPortHost.OfferGrew(Port port) => OnReconfigured();

    private void OnReconfigured()
    {
        if (!_batching)
            Reconfigured?.Invoke();
    }

    private void UpdateLink(Link link)
    {
        Negotiate(link);
        if (link.Update())
            Tell(EventKind.Changed, $"link {link.Name} is {Describe(link)}", null, link);
        FollowSoon(link.Ports);
        foreach (var port in link.Ports)
        {
            _replugs.OnChanged(port);
            if (link.Negotiation.Policy == LinkPolicy.Replug && ReplugRunner.IsDue(port, link.Peer(port)))
                _replugs.Begin(port, ReplugRunner.Excess(port, link.Peer(port)));
        }
    }

    /// <summary>Has carriers follow, as soon as what is being done is done: a message of the port, for one.</summary>
    private void FollowSoon(IEnumerable<Port> ports)
    {
        foreach (var port in ports.Where(p => p.Spec.FollowsPeer || p.Carrier.IsCut))
            _reactor.Post(() => Follow(port));
    }

    private void Follow(Port port)
    {
        if (!_closing && _told.ContainsKey(port))
            port.Carrier.Follow(!port.Spec.FollowsPeer || (LinksOf(port) is [{ AdminUp: true } link, ..] && IsThere(link.Peer(port))));
    }

    /// <summary>Whether there is a VMM, or one may still come: after a restart of ours all of them must connect again.</summary>
    private bool IsThere(Port port) => port.Carrier.IsThere || (port.Connections == 0 && _time.GetUtcNow() - Started < PeersComeWithin);

    private static void CheckCarrier(bool follows, PortType type)
    {
        if (follows && type != PortType.Net)
            throw new SwitchException(SwitchError.Invalid, $"carrier: a port of type {type.Word()} has none; only a network port's can follow the other end");
    }

    /// <summary>Lets the ports' answers count; data flows, or does not any more, from then on.</summary>
    private void Negotiate(Link link)
    {
        var (carried, wasLast) = (link.Negotiation.MayCarry, link.Negotiation.IsInLastRound);
        if (!link.Negotiation.Update())
            return;
        if (wasLast != link.Negotiation.IsInLastRound)
            Begin(link);
        else if (carried != link.Negotiation.MayCarry)
            _wiring.Refresh(link);
        string outcome = SnakeCase.Of(link.Negotiation.Phase);
        Tell(EventKind.Changed, $"link {link.Name}: features: {outcome}{Colon(link.Negotiation.Awaited())}", null, link);
        WatchAnswers(link);
    }

    /// <summary>The last round, or the end of it. One guest is ready before the other: its first frames are not to be lost.</summary>
    private void Begin(Link link)
    {
        link.IsStarting = link.Negotiation.IsInLastRound;
        _wiring.Refresh(link);
        if (!link.IsStarting)
            return;
        _reactor.After(link.Hold, () =>
        {
            if (!link.IsStarting || !LinkIs(link))
                return;
            link.IsStarting = false;
            _wiring.Refresh(link);
        });
    }

    /// <summary>Tells of a guest that lets the other wait too long.</summary>
    private void WatchAnswers(Link link)
    {
        if (link.Negotiation.Phase != RoundsPhase.Negotiating)
            return;
        var history = link.Negotiation.Rounds.History;
        _reactor.After(AnswerTime, () =>
        {
            if (link.Negotiation.Phase == RoundsPhase.Negotiating && link.Negotiation.Rounds.History == history && LinkIs(link))
                Tell(EventKind.Changed, $"link {link.Name}: features: no answer for {AnswerTime.TotalSeconds:0} s: {link.Negotiation.Awaited()}", null, link);
        });
    }

    private bool LinkIs(Link link) => !_closing && _links.GetValueOrDefault(link.Name) == link;

    private static string Colon(string text) => text == "" ? "" : $": {text}";

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

    /// <summary>A guest that uses a disk must not find another one in its place.</summary>
    private static void CheckDisk(Link link)
    {
        if (link.Disk is var (client, server) && client.Model is BlockModel { Client.IsInUse: true, Disk: { } before }
            && server.Model is BlockServerModel { Session: { IsReady: true, Disk: { } disk } } && disk.ProblemAfter(before) is { } problem)
            throw new SwitchException(
                SwitchError.Precondition, $"ports: {server.Name} serves {problem}, while {client.Name}'s guest uses it. End that guest first, or serve the disk that it knows");
    }

    /// <summary>The guests of a server's links hear what it serves.</summary>
    private void OnAnnounced(Port server)
    {
        if (_closing || !_told.ContainsKey(server))
            return;
        var session = ((BlockServerModel)server.Model).Session;
        if (session.Refusal != "")
            Tell(EventKind.Changed, $"port {server.Name}: its server announces {session.Refusal}. Refused", server, null);
        foreach (var link in LinksOf(server))
        {
            ShowDisk(link);
            UpdateLink(link);
        }
    }

    private void ShowDisk(Link link)
    {
        if (link.Disk is not var (client, server) || server.Model is not BlockServerModel { Session: { IsReady: true, Disk: { } disk } }
            || client.Model is not BlockModel model || disk == model.Disk
            || (model.Client.IsInUse && model.Disk is { } before && disk.ProblemAfter(before) != null))
            return;
        bool isResized = model.Disk is { } known && known.Capacity != disk.Capacity;
        model.Disk = disk;
        client.OnDeviceChanged(isResized);
        if (isResized)
            Tell(EventKind.Changed, $"port {client.Name}: its disk has {disk.Capacity * BlockRequest.SectorBytes} bytes now", client, null);
        OnReconfigured();
    }

    private string SocketPath(string name, string socketPath)
    {
        string path = socketPath == "" ? Path.Combine(_options.SocketDirectory, name + ".sock") : socketPath;
        CheckPath(path);
        // Also for a path that was stored: a reboot empties /run.
        if (Path.GetDirectoryName(path) == Path.TrimEndingDirectorySeparator(_options.SocketDirectory))
            MakeSocketDirectory();
        if (_ports.Values.FirstOrDefault(p => p.Spec.SocketPath == path) is { } other)
            throw new SwitchException(SwitchError.Precondition, $"socket {path} is in use by port {other.Name}. Choose another path");
        return path;
    }

    private static void CheckPath(string path)
    {
        if (!Path.IsPathFullyQualified(path))
            throw new SwitchException(SwitchError.Invalid, $"socket_path: {path} is not absolute");
        if (path.Contains('\0', StringComparison.Ordinal))
            throw new SwitchException(SwitchError.Invalid, "socket_path: a path has no zero byte");
        if (!UnixSocket.Fits(path))
            throw new SwitchException(
                SwitchError.Invalid, $"socket_path: {path} is longer than the {UnixSocket.MaxPathBytes} bytes that a socket's path may have. Choose a shorter one");
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

    private static void CheckQmp(string socket)
    {
        if (socket != "" && (!Path.IsPathFullyQualified(socket) || !UnixSocket.Fits(socket) || socket.Contains('\0', StringComparison.Ordinal)))
            throw new SwitchException(SwitchError.Invalid, $"qmp_socket: {socket} is not the absolute path of a socket, of at most {UnixSocket.MaxPathBytes} bytes");
    }

    private static string Describe(Link link) => link.Reason == "" ? "up" : $"{SnakeCase.Of(link.State)} ({link.Reason})";

    private void Tell(EventKind kind, string text, Port? port, Link? link) =>
        Happened?.Invoke(new SwitchEvent(_time.GetUtcNow(), kind, text, port, link));
}
