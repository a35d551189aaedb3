namespace InterGuest.Virtio.Devices;

/// <summary>Feature bits, as masks (VIRTIO 1.2: 5.1.3 network device, 6 reserved bits; vhost-user: bit 30).</summary>
public static class Features
{
    /// <summary>The driver may leave the checksum of what it sends to the device (VIRTIO_NET_F_CSUM).</summary>
    public const ulong NetChecksum = 1UL << 0;

    /// <summary>The driver takes packets whose checksum is incomplete (VIRTIO_NET_F_GUEST_CSUM).</summary>
    public const ulong NetGuestChecksum = 1UL << 1;

    /// <summary>The driver is told the largest frame (VIRTIO_NET_F_MTU).</summary>
    public const ulong NetMtu = 1UL << 3;

    /// <summary>The driver takes TCPv4 segments larger than the MTU (VIRTIO_NET_F_GUEST_TSO4).</summary>
    public const ulong NetGuestTso4 = 1UL << 7;

    /// <summary>The driver takes TCPv6 segments larger than the MTU (VIRTIO_NET_F_GUEST_TSO6).</summary>
    public const ulong NetGuestTso6 = 1UL << 8;

    /// <summary>The driver takes large segments with ECN (VIRTIO_NET_F_GUEST_ECN).</summary>
    public const ulong NetGuestEcn = 1UL << 9;

    /// <summary>The driver takes UDP datagrams larger than the MTU (VIRTIO_NET_F_GUEST_UFO).</summary>
    public const ulong NetGuestUfo = 1UL << 10;

    /// <summary>The driver may send TCPv4 segments larger than the MTU (VIRTIO_NET_F_HOST_TSO4).</summary>
    public const ulong NetHostTso4 = 1UL << 11;

    /// <summary>The driver may send TCPv6 segments larger than the MTU (VIRTIO_NET_F_HOST_TSO6).</summary>
    public const ulong NetHostTso6 = 1UL << 12;

    /// <summary>The driver may send large segments with ECN (VIRTIO_NET_F_HOST_ECN).</summary>
    public const ulong NetHostEcn = 1UL << 13;

    /// <summary>The driver may send UDP datagrams larger than the MTU (VIRTIO_NET_F_HOST_UFO).</summary>
    public const ulong NetHostUfo = 1UL << 14;

    /// <summary>A packet may be put into several receive buffers (VIRTIO_NET_F_MRG_RXBUF).</summary>
    public const ulong NetMergeableBuffers = 1UL << 15;

    /// <summary>Several pairs of queues (VIRTIO_NET_F_MQ).</summary>
    public const ulong NetMultiqueue = 1UL << 22;

    /// <summary>The most buffers of a request's data are in the configuration (VIRTIO_BLK_F_SEG_MAX; 5.2.3).</summary>
    public const ulong BlockSegmentMax = 1UL << 2;

    /// <summary>The disk cannot be written (VIRTIO_BLK_F_RO).</summary>
    public const ulong BlockReadOnly = 1UL << 5;

    /// <summary>The size of a block is in the configuration (VIRTIO_BLK_F_BLK_SIZE).</summary>
    public const ulong BlockSize = 1UL << 6;

    /// <summary>There is a cache, and a FLUSH (VIRTIO_BLK_F_FLUSH).</summary>
    public const ulong BlockFlush = 1UL << 9;

    /// <summary>Good sizes of requests are in the configuration (VIRTIO_BLK_F_TOPOLOGY).</summary>
    public const ulong BlockTopology = 1UL << 10;

    /// <summary>The driver may turn the cache off and on (VIRTIO_BLK_F_CONFIG_WCE).</summary>
    public const ulong BlockConfigWriteback = 1UL << 11;

    /// <summary>Several queues (VIRTIO_BLK_F_MQ).</summary>
    public const ulong BlockMultiqueue = 1UL << 12;

    /// <summary>DISCARD (VIRTIO_BLK_F_DISCARD).</summary>
    public const ulong BlockDiscard = 1UL << 13;

    /// <summary>WRITE_ZEROES (VIRTIO_BLK_F_WRITE_ZEROES).</summary>
    public const ulong BlockWriteZeroes = 1UL << 14;

    /// <summary>Every write to the guest's memory is to be logged (vhost: VHOST_F_LOG_ALL); never shown to guests.</summary>
    public const ulong VhostLogAll = 1UL << 26;

    /// <summary>Any layout of a legacy driver's descriptors (VIRTIO_F_ANY_LAYOUT).</summary>
    public const ulong AnyLayout = 1UL << 27;

    /// <summary>Indirect descriptor tables (VIRTIO_F_INDIRECT_DESC).</summary>
    public const ulong RingIndirectDescriptors = 1UL << 28;

    /// <summary>Notification by event index (VIRTIO_F_EVENT_IDX).</summary>
    public const ulong RingEventIndex = 1UL << 29;

    /// <summary>The peer speaks vhost-user protocol features (VHOST_USER_F_PROTOCOL_FEATURES).</summary>
    public const ulong VhostUserProtocolFeatures = 1UL << 30;

    /// <summary>Not a legacy driver (VIRTIO_F_VERSION_1).</summary>
    public const ulong Version1 = 1UL << 32;

    /// <summary>Virtqueues in the packed format (VIRTIO_F_RING_PACKED).</summary>
    public const ulong RingPacked = 1UL << 34;

    /// <summary>Buffers are used in the order they were made available (VIRTIO_F_IN_ORDER).</summary>
    public const ulong InOrder = 1UL << 35;

    /// <summary>The driver can reset single queues (VIRTIO_F_RING_RESET).</summary>
    public const ulong RingReset = 1UL << 40;

    /// <summary>The driver takes UDPv4 datagrams to be cut into datagrams (VIRTIO_NET_F_GUEST_USO4).</summary>
    public const ulong NetGuestUso4 = 1UL << 54;

    /// <summary>The driver takes UDPv6 datagrams to be cut into datagrams (VIRTIO_NET_F_GUEST_USO6).</summary>
    public const ulong NetGuestUso6 = 1UL << 55;

    /// <summary>The driver may send UDP datagrams to be cut into datagrams (VIRTIO_NET_F_HOST_USO).</summary>
    public const ulong NetHostUso = 1UL << 56;

    private static readonly string?[] NetNames = BuildNames();

    /// <summary>The names of the bits of a network device, lowest first, as the specification writes them.</summary>
    public static IEnumerable<string> NamesOfNet(ulong features)
    {
        for (int bit = 0; bit < 64; bit++)
            if ((features >> bit & 1) != 0)
                yield return NetNames[bit] ?? $"bit {bit}";
    }

    private static string?[] BuildNames()
    {
        var names = new string?[64];
        (int Bit, string Name)[] known =
        [
            (0, "VIRTIO_NET_F_CSUM"), (1, "VIRTIO_NET_F_GUEST_CSUM"), (2, "VIRTIO_NET_F_CTRL_GUEST_OFFLOADS"),
            (3, "VIRTIO_NET_F_MTU"), (5, "VIRTIO_NET_F_MAC"), (7, "VIRTIO_NET_F_GUEST_TSO4"), (8, "VIRTIO_NET_F_GUEST_TSO6"),
            (9, "VIRTIO_NET_F_GUEST_ECN"), (10, "VIRTIO_NET_F_GUEST_UFO"), (11, "VIRTIO_NET_F_HOST_TSO4"),
            (12, "VIRTIO_NET_F_HOST_TSO6"), (13, "VIRTIO_NET_F_HOST_ECN"), (14, "VIRTIO_NET_F_HOST_UFO"),
            (15, "VIRTIO_NET_F_MRG_RXBUF"), (16, "VIRTIO_NET_F_STATUS"), (17, "VIRTIO_NET_F_CTRL_VQ"),
            (18, "VIRTIO_NET_F_CTRL_RX"), (19, "VIRTIO_NET_F_CTRL_VLAN"), (21, "VIRTIO_NET_F_GUEST_ANNOUNCE"),
            (22, "VIRTIO_NET_F_MQ"), (23, "VIRTIO_NET_F_CTRL_MAC_ADDR"), (24, "VIRTIO_F_NOTIFY_ON_EMPTY"), (26, "VHOST_F_LOG_ALL"),
            (27, "VIRTIO_F_ANY_LAYOUT"), (28, "VIRTIO_F_INDIRECT_DESC"), (29, "VIRTIO_F_EVENT_IDX"),
            (30, "VHOST_USER_F_PROTOCOL_FEATURES"), (32, "VIRTIO_F_VERSION_1"), (33, "VIRTIO_F_ACCESS_PLATFORM"),
            (34, "VIRTIO_F_RING_PACKED"), (35, "VIRTIO_F_IN_ORDER"), (36, "VIRTIO_F_ORDER_PLATFORM"), (37, "VIRTIO_F_SR_IOV"),
            (38, "VIRTIO_F_NOTIFICATION_DATA"), (39, "VIRTIO_F_NOTIF_CONFIG_DATA"), (53, "VIRTIO_NET_F_NOTF_COAL"), (40, "VIRTIO_F_RING_RESET"), (49, "VIRTIO_F_MULTI_ROUND"), (54, "VIRTIO_NET_F_GUEST_USO4"),
            (55, "VIRTIO_NET_F_GUEST_USO6"), (56, "VIRTIO_NET_F_HOST_USO"), (57, "VIRTIO_NET_F_HASH_REPORT"),
            (59, "VIRTIO_NET_F_GUEST_HDRLEN"), (60, "VIRTIO_NET_F_RSS"), (61, "VIRTIO_NET_F_RSC_EXT"), (62, "VIRTIO_NET_F_STANDBY"),
            (63, "VIRTIO_NET_F_SPEED_DUPLEX"),
        ];
        foreach (var (bit, name) in known)
            names[bit] = name;
        return names;
    }
}
