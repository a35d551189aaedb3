using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Capture;
using InterGuest.Switch.Negotiation;
using InterGuest.Switch.Ports;
using InterGuest.Switch.Ports.Models;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Control;

/// <summary>What a link does.</summary>
public enum LinkState
{
    /// <summary>Frames flow.</summary>
    Up,

    /// <summary>Its owner set it down.</summary>
    Down,

    /// <summary>A port does not run.</summary>
    Waiting,
}

/// <summary>Joins two ports. Used on the control thread alone.</summary>
public sealed class Link(string name, Port first, Port second, TimeSpan hold, bool adminUp, LinkNegotiation negotiation, EventLoop loop, TimeProvider time)
{
    /// <summary>How long frames wait for buffers if the owner does not say.</summary>
    public static readonly TimeSpan DefaultHold = TimeSpan.FromMilliseconds(500);

    /// <summary>Captures at a time.</summary>
    internal const int MaxCaptures = 8;

    private volatile bool _removed;

    /// <summary>The longest time that may be asked for.</summary>
    public static readonly TimeSpan MaxHold = TimeSpan.FromSeconds(60);

    /// <summary>The longest time that requests can be let wait for a disk's server before they fail.</summary>
    public static readonly TimeSpan MaxFailAfter = TimeSpan.FromHours(24);

    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <summary>The ports.</summary>
    public IReadOnlyList<Port> Ports { get; } = [first, second];

    /// <summary>How long frames wait for buffers.</summary>
    public TimeSpan Hold { get; } = hold;

    /// <summary>How its guests come to features that fit.</summary>
    public LinkNegotiation Negotiation { get; } = negotiation;

    /// <summary>What its owner wants.</summary>
    public bool AdminUp { get; set; } = adminUp;

    /// <summary>What went from each of <see cref="Ports"/> to the other.</summary>
    public IReadOnlyList<TrafficCounters> Directions { get; } = [new(), new()];

    /// <summary>
    /// Whether its guests are in the last round, or have just agreed: what one sends before the other has answered and started
    /// its rings waits, as for buffers, for <see cref="Hold"/>.
    /// </summary>
    internal bool IsStarting { get; set; }

    /// <summary>The state as last told.</summary>
    public LinkState State { get; private set; } = LinkState.Waiting;

    /// <summary>Since when.</summary>
    public DateTimeOffset StateSince { get; private set; } = time.GetUtcNow();

    /// <summary>Why it is not up; empty if it is.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>The thread that has all rings of both ports.</summary>
    public EventLoop Loop { get; internal set; } = loop;

    /// <summary>Of a disk: who uses it and who serves it; null: this is no disk's link.</summary>
    public (Port Client, Port Server)? Disk =>
        Ports[0].Spec.Type == PortType.Block ? (Ports[0], Ports[1])
        : Ports[1].Spec.Type == PortType.Block ? (Ports[1], Ports[0])
        : null;

    /// <summary>How long requests wait for a disk's server before they fail; null: for ever.</summary>
    public TimeSpan? FailAfter { get; init; }

    /// <summary>Whether it has been removed. Read by any thread.</summary>
    internal bool Removed
    {
        get => _removed;
        set => _removed = value;
    }

    /// <summary>Those who look at its frames.</summary>
    internal List<CaptureRing> Captures { get; } = [];

    /// <summary>Shows what a port sends to those who capture; null: nobody does.</summary>
    internal CaptureTap? TapFrom(Port port) =>
        Captures.Count == 0 ? null : new CaptureTap(port == Ports[0] ? 0 : 1, [.. Captures], time);

    /// <summary>The port at the other end.</summary>
    public Port Peer(Port port) => port == Ports[0] ? Ports[1] : Ports[0];

    /// <summary>Counts what a port sends.</summary>
    public TrafficCounters CountersFrom(Port port) => Directions[port == Ports[0] ? 0 : 1];

    /// <summary>Looks at both ports again.</summary>
    /// <returns>Whether the state is another than before.</returns>
    public bool Update()
    {
        string[] idle = [.. Ports.Where(p => p.RunningPairs == 0).Select(p => $"port {p.Name} is {SnakeCase.Of(p.State)}")];
        var (state, reason) = !AdminUp ? (LinkState.Down, "set down by its owner")
            : !Negotiation.MayCarry ? (LinkState.Waiting, $"negotiating features: {Negotiation.Awaited()}")
            : idle.Length > 0 ? (LinkState.Waiting, string.Join(", ", idle))
            : Disk is var (_, server) && ServerProblem(server) is { } problem ? (LinkState.Waiting, problem)
            : (LinkState.Up, "");
        bool changed = state != State;
        if (changed)
            StateSince = time.GetUtcNow();
        (State, Reason) = (state, reason);
        return changed;
    }

    private static string? ServerProblem(Port server) =>
        server.Model is not BlockServerModel { Session: var session } || session.IsReady ? null
        : session.Refusal != "" ? $"port {server.Name}'s server announces {session.Refusal}"
        : $"port {server.Name}'s server has announced no disk yet";

    /// <summary>What one end may send and the other refused, and what it has cost to do it for that one.</summary>
    public IEnumerable<string> Warnings()
    {
        foreach (var sender in Ports)
        {
            var receiver = Peer(sender);
            if (sender.Spec.Type != PortType.Net)
                continue;
            if (sender.Accepted is not { } sends || receiver.Accepted is not { } takes)
                continue;
            ulong refused = NetOffer.Refused(sends, takes);
            if (refused == 0)
                continue;
            var cost = CountersFrom(sender).Translation;
            yield return $"{sender.Name} may send what {receiver.Name} refused ({string.Join(", ", FeatureNames.Net.Of(refused))}): the switch does it per frame, "
                + $"{cost.Frames} frames in {cost.Time.TotalSeconds:0.###} s of its time so far";
        }
    }
}
