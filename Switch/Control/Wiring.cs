using InterGuest.Switch.DataPath;
using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Control;

/// <summary>
/// Which joins there are: derived from links and from the rings that run, again after every change. On the control thread.
/// </summary>
public sealed class Wiring(IReadOnlyList<EventLoop> loops)
{
    private readonly Dictionary<Port, Seat> _seats = [];
    private int _nextLoop;

    /// <summary>A loop for something new: each in turn.</summary>
    public EventLoop NextLoop() => loops[_nextLoop++ % loops.Count];

    /// <summary>The link a port is in.</summary>
    public Link? LinkOf(Port port) => _seats[port].Link;

    /// <summary>Takes a port in. Its rings begin unlinked.</summary>
    public void Add(Port port) => _seats.Add(port, new Seat(NextLoop()));

    /// <summary>Lets a port go, with its joins.</summary>
    public void Remove(Port port)
    {
        Pause(port);
        _seats.Remove(port);
    }

    /// <summary>Connects two ports.</summary>
    public void Connect(Link link) => Rewire(link, link);

    /// <summary>Disconnects them.</summary>
    public void Disconnect(Link link) => Rewire(link, null);

    /// <summary>Follows a change of the link.</summary>
    public void Refresh(Link link) => Connect(link);

    /// <summary>Removes all joins that use a ring of this port.</summary>
    public void Pause(Port port)
    {
        if (!_seats.TryGetValue(port, out var seat))
            return;
        Clear(seat);
        if (seat.Link is { } link)
            Clear(_seats[link.Peer(port)]);
    }

    /// <summary>Makes the joins that there should be, of this port and of its peer.</summary>
    public void Resume(Port port)
    {
        if (!_seats.TryGetValue(port, out var seat))
            return;
        Fill(port, seat);
        if (seat.Link is { } link)
            Fill(link.Peer(port), _seats[link.Peer(port)]);
    }

    /// <summary>Does something in the thread that has the port's rings.</summary>
    public void InLoop(Port port, Action action)
    {
        if (_seats.TryGetValue(port, out var seat))
            seat.Loop.Invoke(action);
        else
            action();
    }

    private void Rewire(Link wires, Link? link)
    {
        foreach (var port in wires.Ports)
            Pause(port);
        foreach (var port in wires.Ports)
        {
            _seats[port].Link = link;
            _seats[port].Loop = wires.Loop;
        }
        foreach (var port in wires.Ports)
            Fill(port, _seats[port]);
    }

    private static void Clear(Seat seat)
    {
        if (seat.Joins.Count == 0)
            return;
        seat.Loop.Invoke(() =>
        {
            foreach (var join in seat.Joins)
                seat.Loop.Remove(join);
        });
        seat.Joins.Clear();
    }

    private static void Fill(Port port, Seat seat)
    {
        if (seat.Joins.Count > 0)
            return;
        seat.Joins.AddRange(Plan(port, seat.Link));
        if (seat.Joins.Count > 0)
            seat.Loop.Invoke(() => seat.Joins.ForEach(seat.Loop.Add));
    }

    /// <summary>One join for each ring that the port sends on.</summary>
    private static IEnumerable<NetJoin> Plan(Port port, Link? link)
    {
        var targets = link?.Peer(port).ReceiveEnds ?? [];
        var counters = link?.CountersFrom(port);
        int pair = 0;
        foreach (var (end, enabled) in port.TransmitEnds)
        {
            DropReason? drop = !enabled ? DropReason.QueueDisabled
                : link == null ? DropReason.NoLink
                : !link.AdminUp ? DropReason.LinkDown
                : targets.Count == 0 ? DropReason.PeerNotRunning
                : null;
            // With fewer receive queues than transmit queues, several share one.
            yield return drop is { } reason
                ? new NetJoin(end, reason, counters)
                : new NetJoin(end, targets[pair++ % targets.Count], link!.Hold, counters!);
        }
    }

    private sealed class Seat(EventLoop loop)
    {
        public EventLoop Loop { get; set; } = loop;

        public Link? Link { get; set; }

        public List<NetJoin> Joins { get; } = [];
    }
}
