using InterGuest.Virtio.Devices;

namespace InterGuest.Virtio.Tests.Devices;

/// <summary>The table of what fits what (VIRTIO 1.2, 5.1.3, 5.1.3.1, 5.2.3).</summary>
public class FeatureTableTests
{
    private const ulong Csum = Features.NetChecksum, Tso4 = Features.NetHostTso4, Ecn = Features.NetHostEcn, Uso = Features.NetHostUso;
    private const ulong GuestCsum = Features.NetGuestChecksum, GuestTso4 = Features.NetGuestTso4, GuestEcn = Features.NetGuestEcn;
    private const ulong GuestUso4 = Features.NetGuestUso4, GuestUso = GuestUso4 | Features.NetGuestUso6, Mtu = Features.NetMtu;
    private const ulong Rings = Features.Version1 | Features.RingEventIndex | Features.RingIndirectDescriptors | Features.NetMergeableBuffers;

    public static TheoryData<string, ulong, ulong, ulong> Fitting => new()
    {
        { "rings and buffers concern one side alone", Rings, 0, Rings },
        { "what a driver takes needs nothing", GuestCsum | GuestTso4, 0, GuestCsum | GuestTso4 },
        { "what it sends needs one who takes it", Csum | Tso4, GuestCsum | GuestTso4, Csum | Tso4 },
        { "no TSO4 there", Csum | Tso4, GuestCsum, Csum },
        { "TSO4 requires CSUM, and that is not taken", Csum | Tso4 | Ecn, GuestTso4 | GuestEcn, 0 },
        { "ECN requires TSO4 or TSO6", Csum | Ecn, GuestCsum | GuestEcn, Csum },
        { "USO is of both IP versions", Csum | Uso, GuestCsum | GuestUso4, Csum },
        { "USO", Csum | Uso, GuestCsum | GuestUso, Csum | Uso },
        { "the MTU is kept by both or told to none", Mtu, 0, 0 },
        { "the MTU", Mtu, Mtu, Mtu },
        { "bits without a rule stay", 1UL << 5 | 1UL << 62, 0, 1UL << 5 | 1UL << 62 },
    };

    [Theory]
    [MemberData(nameof(Fitting))]
    public void Spec_5_1_3_1_TheLargestPartThatFitsIsWhole(string what, ulong features, ulong other, ulong fits)
    {
        Assert.NotEmpty(what);
        Assert.Equal(FeatureTable.Net.Names(fits), FeatureTable.Net.Names(FeatureTable.Net.Fit(features, other)));
    }

    [Fact]
    public void WhatOneLosesTheOtherMayLoseToo()
    {
        // The first is without GUEST_CSUM, so the second without CSUM, so without HOST_TSO4; the MTU goes for both.
        var (first, second) = FeatureTable.Net.FitBoth(Csum | GuestTso4, Csum | Tso4 | GuestCsum | Mtu);
        Assert.Equal((Csum, GuestCsum), (first, second));
    }

    [Fact]
    public void TheFittingPairIsTheLargestThereIs()
    {
        // All pairs of sets of six features that have to do with each other, against a search through all of their parts.
        ulong[] bits = [Csum, GuestCsum, Tso4, GuestTso4, Mtu, Ecn | GuestEcn];
        ulong[] sets = [.. Enumerable.Range(0, 1 << bits.Length).Select(i => bits.Where((_, b) => (i >> b & 1) != 0).Aggregate(0UL, (a, b) => a | b))];
        var table = FeatureTable.Net;
        var random = new Random(1);
        for (int i = 0; i < 100; i++)
        {
            ulong first = sets[random.Next(sets.Length)], second = sets[random.Next(sets.Length)];
            var fitting =
                from a in sets where (a & ~first) == 0 && table.Whole(a) == a
                from b in sets where (b & ~second) == 0 && table.Whole(b) == b && table.Fits(a, b)
                select (a, b);
            var largest = fitting.Aggregate((a: 0UL, b: 0UL), (all, f) => (all.a | f.a, all.b | f.b));
            var got = table.FitBoth(first, second);
            Assert.True(table.Fits(got.First, got.Second));
            // ECN of both kinds is one bit of the search and two of the table: what the search has, the table has, too.
            Assert.Equal((0UL, 0UL), (largest.a & ~got.First, largest.b & ~got.Second));
            Assert.Equal((0UL, 0UL), (got.First & ~first, got.Second & ~second));
        }
    }

    [Fact]
    public void Spec_5_1_3_EveryRuleIsNamedAsTheSpecificationDoesAndPointsBack()
    {
        foreach (var rule in FeatureTable.Net.Rules)
        {
            Assert.Equal([rule.Name], FeatureNames.Net.Of(rule.Mask));
            Assert.Equal(rule.Fit == FeatureFit.Alone, rule.Counterpart == 0);
            foreach (var other in FeatureTable.Net.Rules.Where(r => (rule.Counterpart & r.Mask) != 0))
                Assert.True((other.Counterpart & rule.Mask) != 0, $"{rule.Name} is about {other.Name}, and that is not about it");
        }
        Assert.Equal(FeatureTable.Net.Rules.OrderBy(r => r.Bit), FeatureTable.Net.Rules);
        Assert.Equal(FeatureTable.Block.Rules.OrderBy(r => r.Bit), FeatureTable.Block.Rules);
    }

    [Fact]
    public void Spec_5_2_3_AClientHasWhatItsServerCanDo()
    {
        const ulong flush = 1UL << 9, discard = 1UL << 13, readOnly = 1UL << 5, segments = 1UL << 2, multiqueue = 1UL << 12;
        var table = FeatureTable.Block;
        Assert.Equal(flush | multiqueue, table.Fit(flush | discard | multiqueue, flush));
        // A limit is the server's word; a client that did not accept it may go on, and is held to it.
        Assert.Equal(readOnly | segments, table.Fit(readOnly | segments, 0));
        Assert.Equal(["VIRTIO_BLK_F_RO", "VIRTIO_BLK_F_FLUSH", "bit 20", "VIRTIO_F_VERSION_1"], table.Names(readOnly | flush | 1UL << 20 | 1UL << 32));
        Assert.Same(table, FeatureTable.For("block"));
        Assert.Same(FeatureTable.Net, FeatureTable.For("net"));
        Assert.Null(FeatureTable.For("console"));
    }
}
