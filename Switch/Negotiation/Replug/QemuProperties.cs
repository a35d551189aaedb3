using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Negotiation.Replug;

/// <summary>The properties of QEMU's virtio-net-pci: which of them stand for features, and which make a device the same again.</summary>
public static class QemuProperties
{
    private static readonly (ulong Feature, string Property)[] Offloads =
    [
        (Features.NetChecksum, "csum"), (Features.NetGuestChecksum, "guest_csum"),
        (Features.NetGuestTso4, "guest_tso4"), (Features.NetGuestTso6, "guest_tso6"), (Features.NetGuestEcn, "guest_ecn"), (Features.NetGuestUfo, "guest_ufo"),
        (Features.NetHostTso4, "host_tso4"), (Features.NetHostTso6, "host_tso6"), (Features.NetHostEcn, "host_ecn"), (Features.NetHostUfo, "host_ufo"),
        (Features.NetGuestUso4, "guest_uso4"), (Features.NetGuestUso6, "guest_uso6"), (Features.NetHostUso, "host_uso"),
    ];

    /// <summary>
    /// What has to be said to make a device as it was: what its owner may have chosen, and what a guest sees of it. Of them those
    /// are carried over that the QEMU at hand has.
    /// </summary>
    public static IReadOnlyList<string> Kept { get; } =
    [
        "netdev", "mac", "addr", "multifunction", "romfile", "rombar", "bootindex", "vectors", "mq", "rx_queue_size", "tx_queue_size", "host_mtu",
        "mrg_rxbuf", "gso", "status", "guest_announce", "ctrl_vq", "ctrl_rx", "ctrl_vlan", "ctrl_rx_extra", "ctrl_mac_addr", "ctrl_guest_offloads",
        "rss", "hash", "guest_rsc_ext", "speed", "duplex", "failover", "x-txtimer", "x-txburst", "tx",
        "indirect_desc", "event_idx", "packed", "any_layout", "queue_reset", "in_order", "iommu_platform", "ats", "page-per-vq", "modern-pio-notify",
        "disable-legacy", "disable-modern",
        .. Offloads.Select(o => o.Property),
    ];

    /// <summary>The properties to be off for a device without these features.</summary>
    public static IEnumerable<string> Of(ulong features) => Offloads.Where(o => (features & o.Feature) != 0).Select(o => o.Property);

    /// <summary>The features that a property can take from a guest.</summary>
    public static ulong Removable { get; } = Offloads.Aggregate(0UL, (all, o) => all | o.Feature);
}
