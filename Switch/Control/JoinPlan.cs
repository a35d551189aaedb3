using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Switch.Ports;
using InterGuest.Switch.Ports.Models;

namespace InterGuest.Switch.Control;

/// <summary>Which joins a port needs: one for each ring that its guest sends on, by the port's type. On the control thread.</summary>
internal static class JoinPlan
{
    /// <summary>Makes the joins. Those of the other end are made for the other port.</summary>
    /// <param name="port">The port.</param>
    /// <param name="link">Its link, of several the first; null: it has none.</param>
    /// <param name="loop">In which they will be.</param>
    public static IEnumerable<Join> Of(Port port, Link? link, EventLoop loop) => port.Model switch
    {
        NetModel => Net(port, link),
        BlockModel client => link == null ? [] : Requests(port, client, link, loop),
        BlockServerModel server => Replies(port, server, loop),
        _ => link is { AdminUp: true } ? Bytes(port, link) : [],
    };

    private static IEnumerable<Join> Net(Port port, Link? link)
    {
        var targets = link?.Peer(port).ReceiveEnds ?? [];
        var counters = link?.CountersFrom(port);
        var tap = link?.TapFrom(port);
        int pair = 0;
        foreach (var (end, enabled) in port.TransmitEnds)
        {
            if (enabled && link is { AdminUp: true, IsStarting: true } && (targets.Count == 0 || !link.Negotiation.MayCarry))
                continue; // frames stay where they are
            DropReason? drop = !enabled ? DropReason.QueueDisabled
                : link == null ? DropReason.NoLink
                : !link.AdminUp ? DropReason.LinkDown
                : !link.Negotiation.MayCarry ? DropReason.Negotiating
                : targets.Count == 0 ? DropReason.PeerNotRunning
                : null;
            // With fewer receive queues than transmit queues, several share one.
            yield return drop is { } reason
                ? new NetJoin(end, reason, counters) { Tap = tap }
                : new NetJoin(end, targets[pair++ % targets.Count], link!.Hold, counters!) { Tap = tap, Limit = port.RateLimit };
        }
    }

    /// <summary>Bytes without room, or without anybody to take them, stay where they are.</summary>
    private static IEnumerable<Join> Bytes(Port port, Link link)
    {
        if (port.Spec.Type == PortType.Entropy)
            yield break;
        var target = link.Peer(port).StartedEnds.FirstOrDefault(e => e is { Ring: 0, Enabled: true }).End;
        foreach (var (end, enabled) in port.TransmitEnds)
            if (enabled && target != null)
                yield return new ByteJoin(end, target, link.CountersFrom(port)) { Limit = port.RateLimit };
    }

    private static IEnumerable<Join> Requests(Port port, BlockModel client, Link link, EventLoop loop)
    {
        var server = link.Peer(port);
        var session = ((BlockServerModel)server.Model).Session;
        var target = link.AdminUp && server.RunningPairs > 0 ? server.ReceiveEnds[0] : null;
        foreach (var (ring, end, enabled) in port.StartedEnds)
            yield return new RequestJoin(client.Client.QueueOf(ring, end.Queue.Size), end, enabled, target, session, loop) { Limit = port.RateLimit };
    }

    private static IEnumerable<Join> Replies(Port port, BlockServerModel server, EventLoop loop)
    {
        if (port.RunningPairs > 0)
            yield return new ReplyJoin(port.ReceiveEnds[0], port.TransmitEnds[0].End, server.Session, loop);
    }
}
