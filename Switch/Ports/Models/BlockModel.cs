using InterGuest.Switch.Negotiation;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Ports.Models;

/// <summary>A block device (VIRTIO 1.2, 5.2), which is what its server has announced.</summary>
internal sealed class BlockModel(int queues) : PortModel
{
    /// <summary>The disk; null: none is known.</summary>
    public BlockAnnouncement? Disk { get; set; }

    public override int RingCount => queues;

    public override int Running(Func<int, bool> runs) => Enumerable.Range(0, queues).Count(runs);

    public override ulong Offer(ulong? peerAccepted, ulong offeredBefore) => BlockOffer.For(queues, Disk, offeredBefore);

    public override IEnumerable<string> NamesOf(ulong features) => BlockFeatures.NamesOf(features);

    public override uint? QueuesFor(uint ring) => ring + 1;

    public override string NameOf(int ring) => "request";
}
