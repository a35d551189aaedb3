using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Control;

/// <summary>Has the carriers of ports follow the other ends of their links. All members are for the control thread.</summary>
/// <param name="reactor">The control thread.</param>
/// <param name="wiring">Knows which port is in which link.</param>
/// <param name="time">The clock.</param>
/// <param name="started">When the switch started.</param>
/// <param name="isAPort">Whether a port is still there.</param>
internal sealed class CarrierRunner(Reactor reactor, Wiring wiring, TimeProvider time, DateTimeOffset started, Func<Port, bool> isAPort)
{
    /// <summary>How long a VMM that has not connected yet is waited for, after our start, before guests at the other end lose their carriers.</summary>
    private static readonly TimeSpan PeersComeWithin = TimeSpan.FromSeconds(10);

    /// <summary>A port was made: at the latest when no other VMM is waited for any more, its carrier is right.</summary>
    public void Begin(Port port)
    {
        if (port.Spec.FollowsPeer)
            reactor.After(PeersComeWithin, () => Follow(port));
    }

    /// <summary>Has carriers follow, as soon as what is being done is done: a message of the port, for one.</summary>
    public void FollowSoon(IEnumerable<Port> ports)
    {
        foreach (var port in ports.Where(p => p.Spec.FollowsPeer || p.Carrier.IsCut))
            reactor.Post(() => Follow(port));
    }

    private void Follow(Port port)
    {
        if (isAPort(port))
            port.Carrier.Follow(!port.Spec.FollowsPeer || (wiring.LinksOf(port) is [{ AdminUp: true } link, ..] && IsThere(link.Peer(port))));
    }

    /// <summary>Whether there is a VMM, or one may still come: after a restart of ours all of them must connect again.</summary>
    private bool IsThere(Port port) => port.Carrier.IsThere || (port.Connections == 0 && time.GetUtcNow() - started < PeersComeWithin);
}
