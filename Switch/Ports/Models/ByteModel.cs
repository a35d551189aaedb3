using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Ports.Models;

/// <summary>
/// A device without features or configuration of its own, whose queues carry bytes: a console (VIRTIO 1.2, 5.3) with one
/// port; an entropy device (5.4); and the devices of guests that serve, whose queues are those of a network device, because
/// that is what a front-end can show its guest.
/// </summary>
internal class ByteModel(PortType type) : PortModel
{
    private const ulong Everything =
        Features.AnyLayout | Features.RingIndirectDescriptors | Features.RingEventIndex | Features.VhostUserProtocolFeatures | Features.Version1;

    public override int RingCount => type == PortType.Entropy ? 1 : 2;

    public override bool InOrder => true;

    public override int Running(Func<int, bool> runs) => type switch
    {
        PortType.Entropy => runs(0) ? 1 : 0,
        PortType.EntropySource => runs(1) ? 1 : 0, // it need not use the other one
        _ => runs(0) && runs(1) ? 1 : 0,
    };

    public override ulong Offer(ulong? peerAccepted, ulong offeredBefore) => Everything | offeredBefore;

    public override IEnumerable<string> NamesOf(ulong features) => FeatureNames.Rings.Of(features);

    public override string NameOf(int ring) => type switch
    {
        PortType.Entropy => "request",
        PortType.BlockServer => ring == 0 ? "requests" : "replies",
        _ => ring == 0 ? "receive" : "transmit",
    };
}
