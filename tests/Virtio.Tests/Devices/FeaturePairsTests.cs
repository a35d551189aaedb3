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
        foreach (var (send, receive) in Pairs)
            Assert.Equal(receive, FeaturePairs.MayReceive(send));
        Assert.Equal(Pairs.Aggregate(0UL, (all, p) => all | p.Receive), FeaturePairs.MayReceive(ulong.MaxValue));
    }

    [Fact]
    public void OtherFeaturesAreNoneOfItsBusiness()
    {
        ulong others = ~Pairs.Aggregate(0UL, (all, p) => all | p.Send | p.Receive);
        Assert.Equal(0UL, FeaturePairs.MayReceive(others));
        Assert.Equal(0UL, FeaturePairs.MayReceive(Pairs.Aggregate(0UL, (all, p) => all | p.Receive)));
    }
}
