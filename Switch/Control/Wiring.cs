using InterGuest.Switch.DataPath;
using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Control;

/// <summary>
/// Which joins there are: derived from links and from the rings that run, again after every change. On the control thread.
/// </summary>
public sealed class Wiring(IReadOnlyList<EventLoop> loops, TimeProvider time)
{
    private readonly Dictionary<Port, Seat> _seats = [];
    private readonly LoopPlacement _placement = new(loops, time);

    /// <summary>The links a port is in, by name.</summary>
    public IReadOnlyList<Link> LinksOf(Port port) => _seats[port].Links;

    /// <summary>A loop for a link: the one of a port that has links already, for all rings that are joined are in one loop.</summary>
    public EventLoop LoopFor(Port first, Port second) =>
        new[] { first, second }.Select(p => _seats[p]).FirstOrDefault(s => s.Links.Count > 0)?.Loop ?? NextLoop();

    /// <summary>Takes a port in. Its rings begin unlinked.</summary>
    public void Add(Port port) => _seats.Add(port, new Seat(port, NextLoop()));

    /// <summary>Lets a port go, with its joins.</summary>
    public void Remove(Port port)
    {
        Pause(port);
        _seats.Remove(port);
    }

    /// <summary>Connects two ports.</summary>
    public void Connect(Link link) => Rewire(link, links => links.Add(link));

    /// <summary>Disconnects them.</summary>
    /// <param name="link">Of the two.</param>
    /// <param name="between">Done once nobody moves anything between them, and before they go on apart.</param>
    public void Disconnect(Link link, Action between) => Rewire(link, links => links.Remove(link), between);

    /// <summary>Gives a link to another loop, and with it those that share a port with it.</summary>
    /// <returns>All that have moved.</returns>
    public IReadOnlyList<Link> Move(Link link, EventLoop loop)
    {
        // A server of disks has many links, and each of those a client with no other.
        var links = link.Ports.SelectMany(LinksOf).Distinct().ToList();
        var ports = links.SelectMany(l => l.Ports).Distinct().ToList();
        Change(ports, () =>
        {
            foreach (var moved in links)
                moved.Loop = loop;
            foreach (var port in ports)
                _seats[port].Loop = loop;
        });
        return links;
    }

    /// <summary>Follows a change of the link.</summary>
    public void Refresh(Link link) => Rewire(link, _ => { });

    /// <summary>Shows what the link's joins move to those who capture it now.</summary>
    public void Retap(Link link)
    {
        foreach (var port in link.Ports)
        {
            var (joins, tap) = (_seats[port].Joins, link.TapFrom(port));
            _seats[port].Loop.Invoke(() =>
            {
                foreach (var join in joins.OfType<NetJoin>())
                    join.Tap = tap;
            });
        }
    }

    /// <summary>Removes all joins that use a ring of this port.</summary>
    public void Pause(Port port)
    {
        var seats = SeatsAround(port);
        InOneStep(seats, (loop, join) => loop.Remove(join));
        seats.ForEach(s => s.Joins.Clear());
    }

    /// <summary>Makes the joins that there should be, of this port and of its peers.</summary>
    public void Resume(Port port)
    {
        var empty = SeatsAround(port).FindAll(s => s.Joins.Count == 0);
        foreach (var seat in empty)
            seat.Joins.AddRange(JoinPlan.Of(seat.Port, seat.Links.FirstOrDefault(), seat.Loop));
        InOneStep(empty, (loop, join) => loop.Add(join));
    }

    /// <summary>Does something in the thread that has the port's rings.</summary>
    public void InLoop(Port port, Action action)
    {
        if (_seats.TryGetValue(port, out var seat))
            seat.Loop.Invoke(action);
        else
            action();
    }

    /// <summary>Puts a frame into the receive queue of a network port's peer, if the link is up and there is room.</summary>
    public void Announce(Port port, byte[] frame)
    {
        var seat = _seats[port];
        if (seat.Links is not [{ AdminUp: true } link] || link.Peer(port).ReceiveEnds is not [var target, ..])
            return;
        seat.Loop.Invoke(() =>
        {
            using var sink = new FrameSink(target);
            if (sink.Put(default, new FrameSource(frame, default, 0)) == PutResult.Delivered)
                target.Counters.Traffic.Delivered(1, frame.Length);
            target.Publish();
        });
    }

    private EventLoop NextLoop() => _placement.Next(loop => _seats.Values.Count(s => s.Loop == loop && s.Links.Count > 0));

    private void Rewire(Link link, Action<List<Link>> change, Action? between = null) => Change(link.Ports, () =>
    {
        between?.Invoke();
        foreach (var port in link.Ports)
        {
            change(_seats[port].Links);
            _seats[port].Links.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
            _seats[port].Loop = link.Loop;
        }
    });

    private void Change(IReadOnlyList<Port> ports, Action change)
    {
        foreach (var port in ports)
            Pause(port);
        change();
        foreach (var port in ports)
            Resume(port);
    }

    /// <summary>Of the port and of its peers, all of which one loop has; none, if it is not in.</summary>
    private List<Seat> SeatsAround(Port port) =>
        _seats.TryGetValue(port, out var seat) ? [seat, .. seat.Links.Select(l => _seats[l.Peer(port)])] : [];

    /// <summary>
    /// Between two steps joins have their turns, and some count on others: a reply of a disk's server that was taken while its
    /// client's joins were out would be lost, and the request would wait for it without end.
    /// </summary>
    private static void InOneStep(List<Seat> seats, Action<EventLoop, Join> change)
    {
        if (seats.TrueForAll(s => s.Joins.Count == 0))
            return;
        var loop = seats[0].Loop;
        loop.Invoke(() =>
        {
            foreach (var join in seats.SelectMany(s => s.Joins))
                change(loop, join);
        });
    }

    private sealed class Seat(Port port, EventLoop loop)
    {
        public Port Port => port;

        public EventLoop Loop { get; set; } = loop;

        public List<Link> Links { get; } = [];

        public List<Join> Joins { get; } = [];
    }
}
