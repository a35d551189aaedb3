namespace InterGuest.Virtio.Devices;

public sealed partial class FeatureTable
{
    private const ulong AnyGuestTso = Features.NetGuestTso4 | Features.NetGuestTso6, AnyHostTso = Features.NetHostTso4 | Features.NetHostTso6;
    private const ulong GuestUso = Features.NetGuestUso4 | Features.NetGuestUso6;

    /// <summary>Two network devices (VIRTIO 1.2, 5.1.3). What stays in the VMM (MAC, STATUS, the control queue) is not in it.</summary>
    public static FeatureTable Net { get; } = new(
        "net",
        [
            Send(0, "VIRTIO_NET_F_CSUM", Features.NetGuestChecksum, 0, "sends packets whose checksum is not complete"),
            Take(1, "VIRTIO_NET_F_GUEST_CSUM", Features.NetChecksum, 0, "takes packets whose checksum is not complete"),
            Send(3, "VIRTIO_NET_F_MTU", Features.NetMtu, 0, "is told the largest frame of the link: both ends keep to it, or neither is told"),
            Take(7, "VIRTIO_NET_F_GUEST_TSO4", Features.NetHostTso4, Features.NetGuestChecksum, "takes TCPv4 segments larger than the MTU"),
            Take(8, "VIRTIO_NET_F_GUEST_TSO6", Features.NetHostTso6, Features.NetGuestChecksum, "takes TCPv6 segments larger than the MTU"),
            Take(9, "VIRTIO_NET_F_GUEST_ECN", Features.NetHostEcn, AnyGuestTso, "takes large segments with ECN"),
            Take(10, "VIRTIO_NET_F_GUEST_UFO", Features.NetHostUfo, Features.NetGuestChecksum, "takes UDP datagrams to be fragmented"),
            Send(11, "VIRTIO_NET_F_HOST_TSO4", Features.NetGuestTso4, Features.NetChecksum, "sends TCPv4 segments larger than the MTU"),
            Send(12, "VIRTIO_NET_F_HOST_TSO6", Features.NetGuestTso6, Features.NetChecksum, "sends TCPv6 segments larger than the MTU"),
            Send(13, "VIRTIO_NET_F_HOST_ECN", Features.NetGuestEcn, AnyHostTso, "sends large segments with ECN"),
            Send(14, "VIRTIO_NET_F_HOST_UFO", Features.NetGuestUfo, Features.NetChecksum, "sends UDP datagrams to be fragmented"),
            Alone(15, "VIRTIO_NET_F_MRG_RXBUF", "the switch fills one buffer or several, as each end has it"),
            Alone(22, "VIRTIO_NET_F_MQ", "with fewer pairs at one end, several queues share one"),
            .. Ring,
            Take(54, "VIRTIO_NET_F_GUEST_USO4", Features.NetHostUso, Features.NetGuestChecksum, "takes UDPv4 datagrams to be cut into datagrams"),
            Take(55, "VIRTIO_NET_F_GUEST_USO6", Features.NetHostUso, Features.NetGuestChecksum, "takes UDPv6 datagrams to be cut into datagrams"),
            Send(56, "VIRTIO_NET_F_HOST_USO", GuestUso, Features.NetChecksum, "sends UDP datagrams to be cut into datagrams, of both IP versions"),
        ]);

    /// <summary>A block device and the guest that serves it, whose announcement has the same names (VIRTIO 1.2, 5.2.3).</summary>
    public static FeatureTable Block { get; } = new(
        "block",
        [
            Limit(1, "VIRTIO_BLK_F_SIZE_MAX", "largest segment of a request"),
            Limit(2, "VIRTIO_BLK_F_SEG_MAX", "most segments of a request"),
            Limit(5, "VIRTIO_BLK_F_RO", "the disk is read-only: writes fail"),
            Same(6, "VIRTIO_BLK_F_BLK_SIZE", "block size of the disk"),
            Same(9, "VIRTIO_BLK_F_FLUSH", "the server has a cache, and can flush it"),
            Same(10, "VIRTIO_BLK_F_TOPOLOGY", "optimal sizes and alignment"),
            Alone(12, "VIRTIO_BLK_F_MQ", "all queues of the client go to the server's one"),
            Same(13, "VIRTIO_BLK_F_DISCARD", "the server discards"),
            Same(14, "VIRTIO_BLK_F_WRITE_ZEROES", "the server writes zeroes"),
            .. Ring,
        ]);

    // Between one driver and the switch (VIRTIO 1.2, 6): each ring is its own.
    private static FeatureRule[] Ring =>
    [
        Alone(27, "VIRTIO_F_ANY_LAYOUT", "layout of a legacy driver's descriptors"),
        Alone(28, "VIRTIO_F_INDIRECT_DESC", "each ring is its own"),
        Alone(29, "VIRTIO_F_EVENT_IDX", "each ring is its own"),
        Alone(32, "VIRTIO_F_VERSION_1", "the switch writes each end's header"),
        Alone(33, "VIRTIO_F_ACCESS_PLATFORM", "how each end's addresses are translated"),
        Alone(34, "VIRTIO_F_RING_PACKED", "each ring is its own"),
        Alone(35, "VIRTIO_F_IN_ORDER", "each ring is its own"),
        Alone(38, "VIRTIO_F_NOTIFICATION_DATA", "each ring is its own"),
        Alone(40, "VIRTIO_F_RING_RESET", "each ring is its own"),
    ];

    private static FeatureRule Send(int bit, string name, ulong other, ulong requires, string meaning) =>
        new(bit, name, FeatureFit.Needs, other, requires, meaning);

    private static FeatureRule Take(int bit, string name, ulong other, ulong requires, string meaning) =>
        new(bit, name, FeatureFit.Serves, other, requires, meaning);

    private static FeatureRule Same(int bit, string name, string meaning) => new(bit, name, FeatureFit.Needs, 1UL << bit, 0, meaning);

    private static FeatureRule Limit(int bit, string name, string meaning) => new(bit, name, FeatureFit.Binds, 1UL << bit, 0, meaning);

    private static FeatureRule Alone(int bit, string name, string meaning) => new(bit, name, FeatureFit.Alone, 0, 0, meaning);
}
