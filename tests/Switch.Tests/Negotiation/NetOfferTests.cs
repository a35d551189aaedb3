using InterGuest.Switch.Negotiation;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Negotiation;

/// <summary>What is offered to a guest (VIRTIO 1.2, 5.1.3.1).</summary>
public class NetOfferTests
{
    private const ulong Csum = Features.NetChecksum, Tso4 = Features.NetHostTso4, Tso6 = Features.NetHostTso6;
    private const ulong GuestCsum = Features.NetGuestChecksum, GuestTso4 = Features.NetGuestTso4, GuestTso6 = Features.NetGuestTso6;
    private const ulong Takes = GuestCsum | GuestTso4 | GuestTso6, Sends = Csum | Tso4 | Tso6;

    private const ulong Ring = Features.NetMergeableBuffers | Features.AnyLayout | Features.RingIndirectDescriptors
        | Features.RingEventIndex | Features.RingPacked | Features.VhostUserProtocolFeatures | Features.Version1
        | Features.NetMtu | Features.InOrder | Features.VhostLogAll;

    private const ulong Ecn = Features.NetHostEcn | Features.NetGuestEcn;
    private const ulong Uso = Features.NetHostUso | Features.NetGuestUso4 | Features.NetGuestUso6;

    public static TheoryData<string, int, ulong, ulong> Offers => new()
    {
        { "all there is", 1, 0, Ring | Takes | Sends | Ecn | Uso },
        { "several pairs", 2, 0, Ring | Takes | Sends | Ecn | Uso | Features.NetMultiqueue },
        { "what an older switch offered stays", 1, 1UL << 50, Ring | Takes | Sends | Ecn | Uso | 1UL << 50 },
    };

    [Theory]
    [MemberData(nameof(Offers))]
    public void AGuestIsOfferedAllWhateverItsPeerTakes(string what, int pairs, ulong before, ulong offer)
    {
        Assert.NotEmpty(what);
        Assert.Equal(FeatureNames.Net.Of(offer), FeatureNames.Net.Of(NetOffer.For(pairs, before)));
    }

    [Fact]
    public void NothingIsOfferedThatTheSwitchCannotDo()
    {
        ulong offer = NetOffer.For(128, 0);
        Assert.Equal(0ul, offer & (Features.NetHostUfo | Features.NetGuestUfo));
        Assert.Equal(0ul, offer & (1ul << 33 | 1ul << 40)); // ACCESS_PLATFORM, RING_RESET
    }

    [Fact]
    public void OffersNeverShrink()
    {
        var random = new Random(1);
        ulong before = 0;
        for (int i = 0; i < 200; i++)
        {
            ulong offer = NetOffer.For(random.Next(1, 129), before | 1UL << random.Next(64));
            Assert.Equal(before, offer & before);
            before = offer;
        }
    }

    public static TheoryData<ulong, ulong, ulong> Pairs => new()
    {
        { Sends, Takes, 0 },
        { Sends, 0, Takes },
        { Sends, GuestCsum, GuestTso4 | GuestTso6 },
        { Csum, GuestTso4, GuestCsum },
        { 0, 0, 0 },
        { Takes, 0, 0 },
        { Features.NetHostEcn | Features.NetHostUfo, 0, Features.NetGuestEcn | Features.NetGuestUfo },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void RefusedIsWhatASenderMayUseAndTheReceiverDoesNotTake(ulong sender, ulong receiver, ulong refused) =>
        Assert.Equal(refused, NetOffer.Refused(sender, receiver));
}
