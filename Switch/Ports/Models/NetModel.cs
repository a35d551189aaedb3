using InterGuest.Switch.Negotiation;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Ports.Models;

/// <summary>A network device (VIRTIO 1.2, 5.1): pairs of a receive and a transmit queue. The rest of it is the front-end's.</summary>
internal sealed class NetModel(int queuePairs) : PortModel
{
    public override int RingCount => queuePairs * 2;

    // Cloud Hypervisor compares the answer with its number of rings, QEMU and DPDK with their number of pairs. Twice the
    // pairs lets all of them start with what the port has; a ring beyond it is refused by its index.
    public override ulong QueueNum => (ulong)Math.Min(queuePairs * 2, PortSpec.MaxQueuePairs);

    // Who does not know rounds leaves them, so all may be offered them (docs/multi-round.md).
    public override ulong ProtocolFeatures =>
        base.ProtocolFeatures | Virtio.VhostUser.ProtocolFeatures.LogSharedMemory
        | Virtio.VhostUser.ProtocolFeatures.Rarp | Virtio.VhostUser.ProtocolFeatures.NetMtu | FeatureRounds.ProtocolFeature;

    public override bool InOrder => true;

    public override bool OnlyReads(int ring) => IsTransmit(ring);

    public override int Running(Func<int, bool> runs) =>
        Enumerable.Range(0, queuePairs).Count(i => runs(2 * i) && runs(2 * i + 1));

    public override ulong Offer(ulong? peerAccepted, ulong offeredBefore) => NetOffer.For(queuePairs, offeredBefore);

    public override IEnumerable<string> NamesOf(ulong features) => FeatureNames.Net.Of(features);

    public override uint? QueuesFor(uint ring) => ring / 2 + 1;

    public override string NameOf(int ring) => IsTransmit(ring) ? "transmit" : "receive";

    private static bool IsTransmit(int ring) => ring % 2 == 1;
}
