using System.Numerics;

namespace InterGuest.Virtio.Devices;

public sealed partial class FeatureTable
{
    private const ulong AnyGuestTso = Features.NetGuestTso4 | Features.NetGuestTso6, AnyHostTso = Features.NetHostTso4 | Features.NetHostTso6;
    private const ulong GuestUso = Features.NetGuestUso4 | Features.NetGuestUso6;

    /// <summary>Two network devices (VIRTIO 1.2, 5.1.3). What stays in the VMM (MAC, STATUS, the control queue) is not in it.</summary>
    public static FeatureTable Net { get; } = new(
        "net",
        FeatureNames.Net,
        [
            Send(Features.NetChecksum, Features.NetGuestChecksum, 0, "sends packets whose checksum is not complete"),
            Take(Features.NetGuestChecksum, Features.NetChecksum, 0, "takes packets whose checksum is not complete"),
            Send(Features.NetMtu, Features.NetMtu, 0, "is told the largest frame of the link: both ends keep to it, or neither is told"),
            Take(Features.NetGuestTso4, Features.NetHostTso4, Features.NetGuestChecksum, "takes TCPv4 segments larger than the MTU"),
            Take(Features.NetGuestTso6, Features.NetHostTso6, Features.NetGuestChecksum, "takes TCPv6 segments larger than the MTU"),
            Take(Features.NetGuestEcn, Features.NetHostEcn, AnyGuestTso, "takes large segments with ECN"),
            Take(Features.NetGuestUfo, Features.NetHostUfo, Features.NetGuestChecksum, "takes UDP datagrams to be fragmented"),
            Send(Features.NetHostTso4, Features.NetGuestTso4, Features.NetChecksum, "sends TCPv4 segments larger than the MTU"),
            Send(Features.NetHostTso6, Features.NetGuestTso6, Features.NetChecksum, "sends TCPv6 segments larger than the MTU"),
            Send(Features.NetHostEcn, Features.NetGuestEcn, AnyHostTso, "sends large segments with ECN"),
            Send(Features.NetHostUfo, Features.NetGuestUfo, Features.NetChecksum, "sends UDP datagrams to be fragmented"),
            Alone(Features.NetMergeableBuffers, "the switch fills one buffer or several, as each end has it", FeatureNames.Net),
            Alone(Features.NetMultiqueue, "with fewer pairs at one end, several queues share one", FeatureNames.Net),
            .. Ring,
            Take(Features.NetGuestUso4, Features.NetHostUso, Features.NetGuestChecksum, "takes UDPv4 datagrams to be cut into datagrams"),
            Take(Features.NetGuestUso6, Features.NetHostUso, Features.NetGuestChecksum, "takes UDPv6 datagrams to be cut into datagrams"),
            Send(Features.NetHostUso, GuestUso, Features.NetChecksum, "sends UDP datagrams to be cut into datagrams, of both IP versions"),
        ]);

    /// <summary>A block device and the guest that serves it, whose announcement has the same names (VIRTIO 1.2, 5.2.3).</summary>
    public static FeatureTable Block { get; } = new(
        "block",
        FeatureNames.Block,
        [
            Limit(Features.BlockSizeMax, "largest segment of a request"),
            Limit(Features.BlockSegmentMax, "most segments of a request"),
            Limit(Features.BlockReadOnly, "the disk is read-only: writes fail"),
            Same(Features.BlockSize, "block size of the disk"),
            Same(Features.BlockFlush, "the server has a cache, and can flush it"),
            Same(Features.BlockTopology, "optimal sizes and alignment"),
            Alone(Features.BlockMultiqueue, "all queues of the client go to the server's one", FeatureNames.Block),
            Same(Features.BlockDiscard, "the server discards"),
            Same(Features.BlockWriteZeroes, "the server writes zeroes"),
            .. Ring,
        ]);

    // Between one driver and the switch (VIRTIO 1.2, 6): each ring is its own.
    private static FeatureRule[] Ring =>
    [
        Alone(Features.AnyLayout, "layout of a legacy driver's descriptors"),
        Alone(Features.RingIndirectDescriptors, "each ring is its own"),
        Alone(Features.RingEventIndex, "each ring is its own"),
        Alone(Features.Version1, "the switch writes each end's header"),
        Alone(Features.AccessPlatform, "how each end's addresses are translated"),
        Alone(Features.RingPacked, "each ring is its own"),
        Alone(Features.InOrder, "each ring is its own"),
        Alone(Features.NotificationData, "each ring is its own"),
        Alone(Features.RingReset, "each ring is its own"),
    ];

    private static FeatureRule Send(ulong feature, ulong other, ulong requires, string meaning) =>
        Rule(FeatureNames.Net, feature, FeatureFit.Needs, other, requires, meaning);

    private static FeatureRule Take(ulong feature, ulong other, ulong requires, string meaning) =>
        Rule(FeatureNames.Net, feature, FeatureFit.Serves, other, requires, meaning);

    private static FeatureRule Same(ulong feature, string meaning) => Rule(FeatureNames.Block, feature, FeatureFit.Needs, feature, 0, meaning);

    private static FeatureRule Limit(ulong feature, string meaning) => Rule(FeatureNames.Block, feature, FeatureFit.Binds, feature, 0, meaning);

    private static FeatureRule Alone(ulong feature, string meaning, FeatureNames? names = null) =>
        Rule(names ?? FeatureNames.Rings, feature, FeatureFit.Alone, 0, 0, meaning);

    private static FeatureRule Rule(FeatureNames names, ulong feature, FeatureFit fit, ulong other, ulong requires, string meaning)
    {
        int bit = BitOperations.TrailingZeroCount(feature);
        return new(bit, names[bit], fit, other, requires, meaning);
    }
}
