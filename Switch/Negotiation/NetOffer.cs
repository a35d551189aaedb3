using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Negotiation;

/// <summary>
/// What a network port offers its guest, and whether what two guests accepted fits: pure functions. Every guest is offered
/// all that the switch can carry or do itself (<see cref="DataPath.Offload.Translator"/>), whatever its peer refused.
/// </summary>
public static class NetOffer
{
    /// <summary>
    /// All that the switch can carry between two guests that both accept it, or do for one that did not. Not UFO: today's
    /// drivers do not send it, and to cut it is to fragment.
    /// </summary>
    private const ulong Any =
        Features.NetChecksum | Features.NetGuestChecksum
        | Features.NetGuestTso4 | Features.NetGuestTso6 | Features.NetHostTso4 | Features.NetHostTso6
        | Features.NetGuestEcn | Features.NetHostEcn
        | Features.NetGuestUso4 | Features.NetGuestUso6 | Features.NetHostUso
        | Features.NetMergeableBuffers | Features.NetMtu | Features.AnyLayout | Features.InOrder
        | Features.RingIndirectDescriptors | Features.RingEventIndex | Features.RingPacked
        | Features.VhostUserProtocolFeatures | Features.VhostLogAll | Features.Version1;

    /// <summary>All that a port could be offered.</summary>
    public static ulong Everything(int queuePairs) => Any | (queuePairs > 1 ? Features.NetMultiqueue : 0);

    /// <summary>The features to offer.</summary>
    /// <param name="queuePairs">Of the port.</param>
    /// <param name="offeredBefore">
    /// What this port has offered already. Never taken back: a front-end that connects again insists on every bit its guest
    /// has accepted, and goes on showing its guest the bits it saw at first.
    /// </param>
    public static ulong For(int queuePairs, ulong offeredBefore) => Everything(queuePairs) | offeredBefore;

    /// <summary>What a sender may use that the receiver refused: such frames are translated. 0 if the two fit.</summary>
    public static ulong Refused(ulong senderAccepted, ulong receiverAccepted) =>
        FeaturePairs.MayReceive(senderAccepted) & ~receiverAccepted;
}
