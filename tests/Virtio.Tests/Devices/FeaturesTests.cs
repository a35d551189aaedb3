using InterGuest.Virtio.Devices;

namespace InterGuest.Virtio.Tests.Devices;

public class FeaturesTests
{
    /// <summary>VIRTIO 1.2: 5.1.3, 5.1.3.2 (legacy), 6, and 6.3 of legacy; vhost-user: 26 and 30.</summary>
    private static readonly Dictionary<int, string> Specified = new()
    {
        [0] = "VIRTIO_NET_F_CSUM", [1] = "VIRTIO_NET_F_GUEST_CSUM", [2] = "VIRTIO_NET_F_CTRL_GUEST_OFFLOADS", [3] = "VIRTIO_NET_F_MTU",
        [5] = "VIRTIO_NET_F_MAC", [7] = "VIRTIO_NET_F_GUEST_TSO4", [8] = "VIRTIO_NET_F_GUEST_TSO6", [9] = "VIRTIO_NET_F_GUEST_ECN",
        [10] = "VIRTIO_NET_F_GUEST_UFO", [11] = "VIRTIO_NET_F_HOST_TSO4", [12] = "VIRTIO_NET_F_HOST_TSO6", [13] = "VIRTIO_NET_F_HOST_ECN",
        [14] = "VIRTIO_NET_F_HOST_UFO", [15] = "VIRTIO_NET_F_MRG_RXBUF", [16] = "VIRTIO_NET_F_STATUS", [17] = "VIRTIO_NET_F_CTRL_VQ",
        [18] = "VIRTIO_NET_F_CTRL_RX", [19] = "VIRTIO_NET_F_CTRL_VLAN", [21] = "VIRTIO_NET_F_GUEST_ANNOUNCE", [22] = "VIRTIO_NET_F_MQ",
        [23] = "VIRTIO_NET_F_CTRL_MAC_ADDR", [24] = "VIRTIO_F_NOTIFY_ON_EMPTY", [26] = "VHOST_F_LOG_ALL", [27] = "VIRTIO_F_ANY_LAYOUT",
        [28] = "VIRTIO_F_INDIRECT_DESC", [29] = "VIRTIO_F_EVENT_IDX", [30] = "VHOST_USER_F_PROTOCOL_FEATURES", [32] = "VIRTIO_F_VERSION_1",
        [33] = "VIRTIO_F_ACCESS_PLATFORM", [34] = "VIRTIO_F_RING_PACKED", [35] = "VIRTIO_F_IN_ORDER", [36] = "VIRTIO_F_ORDER_PLATFORM",
        [37] = "VIRTIO_F_SR_IOV", [38] = "VIRTIO_F_NOTIFICATION_DATA", [40] = "VIRTIO_F_RING_RESET", [54] = "VIRTIO_NET_F_GUEST_USO4",
        [55] = "VIRTIO_NET_F_GUEST_USO6", [56] = "VIRTIO_NET_F_HOST_USO", [57] = "VIRTIO_NET_F_HASH_REPORT", [59] = "VIRTIO_NET_F_GUEST_HDRLEN",
        [60] = "VIRTIO_NET_F_RSS", [61] = "VIRTIO_NET_F_RSC_EXT", [62] = "VIRTIO_NET_F_STANDBY", [63] = "VIRTIO_NET_F_SPEED_DUPLEX",
    };

    public static TheoryData<int> Bits => [.. Specified.Keys];

    [Theory, MemberData(nameof(Bits))]
    public void Spec_5_1_3_NamesAreTheSpecifications(int bit) => Assert.Equal([Specified[bit]], FeatureNames.Net.Of(1UL << bit));

    [Theory]
    [InlineData(39, "VIRTIO_F_NOTIF_CONFIG_DATA")]
    [InlineData(53, "VIRTIO_NET_F_NOTF_COAL")]
    public void Spec_1_2_BitsThatAreRarelySeenHaveNamesToo(int bit, string name) => Assert.Equal([name], FeatureNames.Net.Of(1UL << bit));

    [Fact]
    public void UnknownBitsAreNumbersAndTheLowestComesFirst()
    {
        Assert.Empty(FeatureNames.Net.Of(0));
        Assert.Equal(["VIRTIO_NET_F_CSUM", "bit 4", "VIRTIO_NET_F_SPEED_DUPLEX"], FeatureNames.Net.Of(1UL << 63 | 1UL << 4 | 1));
        Assert.Equal(64, FeatureNames.Net.Of(ulong.MaxValue).Distinct().Count());
    }

    [Fact]
    public void Spec_2_2_TheMeaningOfBitsFrom24To49DoesNotDependOnTheDevice()
    {
        for (int bit = 0; bit < 64; bit++)
        {
            bool isShared = bit is >= 24 and < 50;
            Assert.Equal(isShared || FeatureNames.Net[bit].StartsWith("bit", StringComparison.Ordinal), FeatureNames.Net[bit] == FeatureNames.Rings[bit]);
            Assert.Equal(isShared || FeatureNames.Block[bit].StartsWith("bit", StringComparison.Ordinal), FeatureNames.Block[bit] == FeatureNames.Rings[bit]);
        }
    }

    [Theory]
    [InlineData(nameof(Features.NetChecksum), 0)]
    [InlineData(nameof(Features.NetGuestChecksum), 1)]
    [InlineData(nameof(Features.NetGuestTso4), 7)]
    [InlineData(nameof(Features.NetGuestTso6), 8)]
    [InlineData(nameof(Features.NetGuestEcn), 9)]
    [InlineData(nameof(Features.NetGuestUfo), 10)]
    [InlineData(nameof(Features.NetHostTso4), 11)]
    [InlineData(nameof(Features.NetHostTso6), 12)]
    [InlineData(nameof(Features.NetHostEcn), 13)]
    [InlineData(nameof(Features.NetHostUfo), 14)]
    [InlineData(nameof(Features.NetMergeableBuffers), 15)]
    [InlineData(nameof(Features.NetMultiqueue), 22)]
    [InlineData(nameof(Features.AnyLayout), 27)]
    [InlineData(nameof(Features.RingIndirectDescriptors), 28)]
    [InlineData(nameof(Features.RingEventIndex), 29)]
    [InlineData(nameof(Features.VhostUserProtocolFeatures), 30)]
    [InlineData(nameof(Features.Version1), 32)]
    [InlineData(nameof(Features.InOrder), 35)]
    public void Spec_5_1_3_MasksAreTheSpecifiedBits(string name, int bit) =>
        Assert.Equal(1UL << bit, (ulong)typeof(Features).GetField(name)!.GetRawConstantValue()!);
}
