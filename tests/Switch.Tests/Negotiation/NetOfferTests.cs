using InterGuest.Switch.Negotiation;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Negotiation;

/// <summary>What is offered to a guest, given what its peer accepted (VIRTIO 1.2, 5.1.3.1).</summary>
public class NetOfferTests
{
    private const ulong Csum = Features.NetChecksum, Tso4 = Features.NetHostTso4, Tso6 = Features.NetHostTso6;
    private const ulong GuestCsum = Features.NetGuestChecksum, GuestTso4 = Features.NetGuestTso4, GuestTso6 = Features.NetGuestTso6;
    private const ulong Takes = GuestCsum | GuestTso4 | GuestTso6, Sends = Csum | Tso4 | Tso6;

    private const ulong Ring = Features.NetMergeableBuffers | Features.AnyLayout | Features.RingIndirectDescriptors
        | Features.RingEventIndex | Features.RingPacked | Features.VhostUserProtocolFeatures | Features.Version1
        | Features.NetMtu | Features.InOrder | Features.VhostLogAll;

    public static TheoryData<string, int, ulong?, ulong, ulong> Offers => new()
    {
        { "nobody is known at the other end", 1, null, 0, Ring | Takes | Sends },
        { "several pairs", 2, null, 0, Ring | Takes | Sends | Features.NetMultiqueue },
        { "the peer takes all", 1, Takes, 0, Ring | Takes | Sends },
        { "the peer takes nothing", 1, 0, 0, Ring | Takes },
        { "the peer takes checksums", 1, GuestCsum, 0, Ring | Takes | Csum },
        { "the peer takes TSO4", 1, GuestCsum | GuestTso4, 0, Ring | Takes | Csum | Tso4 },
        { "what the peer sends is not what it takes", 1, Sends, 0, Ring | Takes },
        { "all was offered before", 1, 0, Ring | Takes | Sends, Ring | Takes | Sends },
        { "checksums were offered before", 1, 0, Csum, Ring | Takes | Csum },
        { "what an older switch offered stays", 1, null, 1UL << 50, Ring | Takes | Sends | 1UL << 50 },
    };

    [Theory]
    [MemberData(nameof(Offers))]
    public void AGuestIsNotOfferedToSendWhatItsPeerRefused(string what, int pairs, ulong? peer, ulong before, ulong offer)
    {
        Assert.NotEmpty(what);
        Assert.Equal(Features.NamesOfNet(offer), Features.NamesOfNet(NetOffer.For(pairs, peer, before)));
    }

    [Fact]
    public void NothingIsOfferedThatTheSwitchCannotDo()
    {
        ulong offer = NetOffer.For(128, null, 0);
        Assert.Equal(0ul, offer & (Features.NetHostEcn | Features.NetHostUfo | Features.NetGuestEcn | Features.NetGuestUfo));
        Assert.Equal(0ul, offer & (1ul << 33 | 1ul << 40)); // ACCESS_PLATFORM, RING_RESET
    }

    [Fact]
    public void OffersNeverShrink()
    {
        var random = new Random(1);
        ulong before = 0;
        for (int i = 0; i < 200; i++)
        {
            ulong offer = NetOffer.For(random.Next(1, 129), random.Next(3) == 0 ? null : (ulong)random.NextInt64(), before);
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
