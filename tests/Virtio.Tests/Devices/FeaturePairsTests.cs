using InterGuest.Virtio.Devices;

namespace InterGuest.Virtio.Tests.Devices;

public class FeaturePairsTests
{
    private static readonly (ulong Send, ulong Receive)[] Pairs =
    [
        (Features.NetChecksum, Features.NetGuestChecksum),
        (Features.NetHostTso4, Features.NetGuestTso4),
        (Features.NetHostTso6, Features.NetGuestTso6),
        (Features.NetHostEcn, Features.NetGuestEcn),
        (Features.NetHostUfo, Features.NetGuestUfo),
        (Features.NetHostUso, Features.NetGuestUso4 | Features.NetGuestUso6),
    ];

    [Fact]
    public void Spec_5_1_3_1_EachSendFeatureHasItsReceiveFeature()
    {
        Assert.Equal(0x7801UL | 1UL << 56, FeaturePairs.AllSend);
        foreach (var (send, receive) in Pairs)
        {
            Assert.Equal(receive, FeaturePairs.MayReceive(send));
            Assert.Equal(send, FeaturePairs.MaySend(receive));
        }
    }

    [Fact]
    public void OtherFeaturesAreNoneOfItsBusiness()
    {
        ulong others = ~Pairs.Aggregate(0UL, (all, p) => all | p.Send | p.Receive);
        Assert.Equal((0UL, 0UL), (FeaturePairs.MayReceive(others), FeaturePairs.MaySend(others)));
        Assert.Equal((0UL, 0UL), (FeaturePairs.MayReceive(0x782 | 3UL << 54), FeaturePairs.MaySend(0x7801 | 1UL << 54)));
    }

    [Fact]
    public void SetsTranslateBitByBitThereAndBack()
    {
        var random = new Random(1);
        for (int i = 0; i < 1000; i++)
        {
            ulong features = (ulong)random.NextInt64() << 1;
            Assert.Equal(features & FeaturePairs.AllSend, FeaturePairs.MaySend(FeaturePairs.MayReceive(features)));
        }
    }
}
