using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Negotiation;

/// <summary>
/// What a network port offers its guest, and whether what two guests accepted fits: pure functions. This is the part that
/// needs no translation of frames: a guest is not offered to send what its peer is known to have refused.
/// </summary>
public static class NetOffer
{
    /// <summary>Everything the switch can carry between two guests that both accept it.</summary>
    private const ulong Any =
        Features.NetChecksum | Features.NetGuestChecksum
        | Features.NetGuestTso4 | Features.NetGuestTso6 | Features.NetHostTso4 | Features.NetHostTso6
        | Features.NetMergeableBuffers | Features.NetMtu | Features.AnyLayout | Features.InOrder
        | Features.RingIndirectDescriptors | Features.RingEventIndex | Features.RingPacked
        | Features.VhostUserProtocolFeatures | Features.VhostLogAll | Features.Version1;

    /// <summary>All that a port could be offered.</summary>
    public static ulong Everything(int queuePairs) => Any | (queuePairs > 1 ? Features.NetMultiqueue : 0);

    /// <summary>The features to offer.</summary>
    /// <param name="queuePairs">Of the port.</param>
    /// <param name="peerAccepted">What the guest at the other end has accepted; null if it is not known yet.</param>
    /// <param name="offeredBefore">
    /// What this port has offered already. Never taken back: a front-end that connects again insists on every bit its guest
    /// has accepted, and goes on showing its guest the bits it saw at first.
    /// </param>
    public static ulong For(int queuePairs, ulong? peerAccepted, ulong offeredBefore)
    {
        ulong offer = Everything(queuePairs);
        if (peerAccepted is { } accepted)
            offer &= ~(FeaturePairs.AllSend & ~FeaturePairs.MaySend(accepted));
        return offer | offeredBefore;
    }

    /// <summary>What a sender may use that the receiver refused: such frames are dropped. 0 if the two fit.</summary>
    public static ulong Refused(ulong senderAccepted, ulong receiverAccepted) =>
        FeaturePairs.MayReceive(senderAccepted) & ~receiverAccepted;
}
