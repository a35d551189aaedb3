using InterGuest.Testing;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>All that QEMU says from the connection until its rings run, message by message (notes/peers.md, section 2).</summary>
internal static class StartSequence
{
    public static IReadOnlyList<Action<FrontEnd, TestGuest>> Messages { get; } =
    [
        (f, _) => f.Get(RequestCode.GetFeatures),
        (f, _) => f.Get(RequestCode.GetProtocolFeatures),
        (f, _) => f.Set(RequestCode.SetProtocolFeatures, ProtocolFeatures.Multiqueue | ProtocolFeatures.ReplyAck | ProtocolFeatures.BackendRequests | ProtocolFeatures.Status),
        (f, _) => f.Get(RequestCode.GetQueueNum),
        (f, _) => f.Get(RequestCode.GetMaxMemorySlots),
        (f, _) => SendBackendRequests(f),
        (f, _) => f.Do(RequestCode.SetOwner, []),
        (f, _) => f.Get(RequestCode.GetFeatures),
        (f, g) => f.Set(RequestCode.SetVringCall, 0, g.Receive().Call.Descriptor),
        (f, g) => f.Set(RequestCode.SetVringError, 0, g.Receive().Kick.Descriptor),
        (f, g) => f.Set(RequestCode.SetVringCall, 1, g.Transmit().Call.Descriptor),
        (f, g) => f.Set(RequestCode.SetVringError, 1, g.Transmit().Kick.Descriptor),
        // At realize, before any address.
        (f, _) => f.SetVring(RequestCode.SetVringEnable, 0, 1),
        (f, _) => f.SetVring(RequestCode.SetVringEnable, 1, 1),
        (f, g) => f.Set(RequestCode.SetFeatures, g.Features),
        (f, _) => f.Get(RequestCode.GetStatus),
        (f, _) => f.Set(RequestCode.SetStatus, 8),
        (f, g) => f.SetMemoryTable((g.Memory.Layout, g.Memory.File)),
        .. Ring(0, g => g.Receive()),
        .. Ring(1, g => g.Transmit()),
        (f, _) => f.Get(RequestCode.GetStatus),
        (f, _) => f.Set(RequestCode.SetStatus, 15),
    ];

    private static IEnumerable<Action<FrontEnd, TestGuest>> Ring(uint ring, Func<TestGuest, TestQueue> queue) =>
    [
        (f, g) => f.SetVring(RequestCode.SetVringNum, ring, (uint)queue(g).Driver.Size),
        (f, _) => f.SetVring(RequestCode.SetVringBase, ring, 0),
        (f, g) => f.SetVringAddress(ring, queue(g).Driver.Layout),
        (f, g) => f.Set(RequestCode.SetVringKick, ring, queue(g).Kick.Descriptor),
        (f, g) => f.Set(RequestCode.SetVringCall, ring, queue(g).Call.Descriptor),
    ];

    private static void SendBackendRequests(FrontEnd frontEnd)
    {
        var (ours, theirs) = UnixSocket.Pair();
        using (ours)
        using (theirs)
            frontEnd.Do(RequestCode.SetBackendRequestFd, [], theirs);
    }
}
