namespace InterGuest.Virtio.Devices;

/// <summary>The names of a device's feature bits, as the specification writes them (VIRTIO 1.2: 5.1.3, 5.2.3 and 6).</summary>
public sealed class FeatureNames
{
    /// <summary>The bits whose meaning does not depend on the device are from 24 to 49 (VIRTIO 1.2, 2.2).</summary>
    private static readonly (int Bit, string Name)[] Shared =
    [
        (24, "VIRTIO_F_NOTIFY_ON_EMPTY"), (26, "VHOST_F_LOG_ALL"), (27, "VIRTIO_F_ANY_LAYOUT"), (28, "VIRTIO_F_INDIRECT_DESC"),
        (29, "VIRTIO_F_EVENT_IDX"), (30, "VHOST_USER_F_PROTOCOL_FEATURES"), (32, "VIRTIO_F_VERSION_1"), (33, "VIRTIO_F_ACCESS_PLATFORM"),
        (34, "VIRTIO_F_RING_PACKED"), (35, "VIRTIO_F_IN_ORDER"), (36, "VIRTIO_F_ORDER_PLATFORM"), (37, "VIRTIO_F_SR_IOV"),
        (38, "VIRTIO_F_NOTIFICATION_DATA"), (39, "VIRTIO_F_NOTIF_CONFIG_DATA"), (40, "VIRTIO_F_RING_RESET"), (49, "VIRTIO_F_MULTI_ROUND"),
    ];

    private readonly string?[] _names = new string?[64];

    private FeatureNames(params ReadOnlySpan<(int Bit, string Name)> own)
    {
        foreach (var (bit, name) in Shared)
            _names[bit] = name;
        foreach (var (bit, name) in own)
            _names[bit] = name;
    }

    /// <summary>Of a network device.</summary>
    public static FeatureNames Net { get; } = new(
        (0, "VIRTIO_NET_F_CSUM"), (1, "VIRTIO_NET_F_GUEST_CSUM"), (2, "VIRTIO_NET_F_CTRL_GUEST_OFFLOADS"), (3, "VIRTIO_NET_F_MTU"),
        (5, "VIRTIO_NET_F_MAC"), (7, "VIRTIO_NET_F_GUEST_TSO4"), (8, "VIRTIO_NET_F_GUEST_TSO6"), (9, "VIRTIO_NET_F_GUEST_ECN"),
        (10, "VIRTIO_NET_F_GUEST_UFO"), (11, "VIRTIO_NET_F_HOST_TSO4"), (12, "VIRTIO_NET_F_HOST_TSO6"), (13, "VIRTIO_NET_F_HOST_ECN"),
        (14, "VIRTIO_NET_F_HOST_UFO"), (15, "VIRTIO_NET_F_MRG_RXBUF"), (16, "VIRTIO_NET_F_STATUS"), (17, "VIRTIO_NET_F_CTRL_VQ"),
        (18, "VIRTIO_NET_F_CTRL_RX"), (19, "VIRTIO_NET_F_CTRL_VLAN"), (21, "VIRTIO_NET_F_GUEST_ANNOUNCE"), (22, "VIRTIO_NET_F_MQ"),
        (23, "VIRTIO_NET_F_CTRL_MAC_ADDR"), (53, "VIRTIO_NET_F_NOTF_COAL"), (54, "VIRTIO_NET_F_GUEST_USO4"), (55, "VIRTIO_NET_F_GUEST_USO6"),
        (56, "VIRTIO_NET_F_HOST_USO"), (57, "VIRTIO_NET_F_HASH_REPORT"), (59, "VIRTIO_NET_F_GUEST_HDRLEN"), (60, "VIRTIO_NET_F_RSS"),
        (61, "VIRTIO_NET_F_RSC_EXT"), (62, "VIRTIO_NET_F_STANDBY"), (63, "VIRTIO_NET_F_SPEED_DUPLEX"));

    /// <summary>Of a block device.</summary>
    public static FeatureNames Block { get; } = new(
        (1, "VIRTIO_BLK_F_SIZE_MAX"), (2, "VIRTIO_BLK_F_SEG_MAX"), (4, "VIRTIO_BLK_F_GEOMETRY"), (5, "VIRTIO_BLK_F_RO"),
        (6, "VIRTIO_BLK_F_BLK_SIZE"), (9, "VIRTIO_BLK_F_FLUSH"), (10, "VIRTIO_BLK_F_TOPOLOGY"), (11, "VIRTIO_BLK_F_CONFIG_WCE"),
        (12, "VIRTIO_BLK_F_MQ"), (13, "VIRTIO_BLK_F_DISCARD"), (14, "VIRTIO_BLK_F_WRITE_ZEROES"), (16, "VIRTIO_BLK_F_LIFETIME"),
        (17, "VIRTIO_BLK_F_SECURE_ERASE"), (18, "VIRTIO_BLK_F_ZONED"));

    /// <summary>Of a device that has none of its own.</summary>
    public static FeatureNames Rings { get; } = new();

    /// <summary>The name of a bit, or its number.</summary>
    public string this[int bit] => _names[bit] ?? $"bit {bit}";

    /// <summary>The names of features, lowest bit first.</summary>
    public IEnumerable<string> Of(ulong features)
    {
        for (int bit = 0; bit < 64; bit++)
            if ((features >> bit & 1) != 0)
                yield return this[bit];
    }
}
