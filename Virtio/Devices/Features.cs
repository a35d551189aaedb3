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

    /// <summary>The largest buffer of a request's data is in the configuration (VIRTIO_BLK_F_SIZE_MAX; 5.2.3).</summary>
    public const ulong BlockSizeMax = 1UL << 1;

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

    /// <summary>Addresses are those of the platform's bus (VIRTIO_F_ACCESS_PLATFORM).</summary>
    public const ulong AccessPlatform = 1UL << 33;

    /// <summary>Virtqueues in the packed format (VIRTIO_F_RING_PACKED).</summary>
    public const ulong RingPacked = 1UL << 34;

    /// <summary>Buffers are used in the order they were made available (VIRTIO_F_IN_ORDER).</summary>
    public const ulong InOrder = 1UL << 35;

    /// <summary>Kicks say how far the driver has come (VIRTIO_F_NOTIFICATION_DATA).</summary>
    public const ulong NotificationData = 1UL << 38;

    /// <summary>The driver can reset single queues (VIRTIO_F_RING_RESET).</summary>
    public const ulong RingReset = 1UL << 40;

    /// <summary>The driver takes UDPv4 datagrams to be cut into datagrams (VIRTIO_NET_F_GUEST_USO4).</summary>
    public const ulong NetGuestUso4 = 1UL << 54;

    /// <summary>The driver takes UDPv6 datagrams to be cut into datagrams (VIRTIO_NET_F_GUEST_USO6).</summary>
    public const ulong NetGuestUso6 = 1UL << 55;

    /// <summary>The driver may send UDP datagrams to be cut into datagrams (VIRTIO_NET_F_HOST_USO).</summary>
    public const ulong NetHostUso = 1UL << 56;
}
