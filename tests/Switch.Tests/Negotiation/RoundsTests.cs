using System.Numerics;
using InterGuest.Switch.Negotiation;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Negotiation;

/// <summary>The rounds of docs/multi-round.md, one by one.</summary>
public class RoundsTests
{
    private const ulong Bit = 1UL << FeatureRounds.DefaultBit;
    private const ulong Ring = Features.Version1 | Features.RingEventIndex | Features.NetMergeableBuffers;
    private const ulong Csum = Features.NetChecksum, GuestCsum = Features.NetGuestChecksum;
    private const ulong Tso = Features.NetHostTso4 | Features.NetHostTso6, GuestTso = Features.NetGuestTso4 | Features.NetGuestTso6;
    private const ulong All = Ring | Csum | GuestCsum | Tso | GuestTso;

    private static readonly RoundRules Rules = new(FeatureTable.Net, Bit, All, All);
    private static readonly string[] Names = ["a", "b"];

    [Fact]
    public void TwoThatTakeAllNeedThreeRounds()
    {
        var (rounds, a, b) = Run(o => o, o => o);
        Assert.Equal([Ring | Bit, All | Bit, All], rounds.History.Select(r => r.FirstOffer!.Value));
        Assert.Equal([false, false, true], rounds.History.Select(r => r.IsFinal));
        Assert.Equal((All, All), (a.Taken!.Value, b.Taken!.Value));
        Assert.Equal(RoundsPhase.Agreed, rounds.Phase(Rules, a, b, translate: false));
        Assert.Empty(Enumerable.Range(0, 3).SelectMany(i => Losses.In(Rules, rounds, i, Names)));
    }

    [Fact]
    public void WhatOneRefusesIsTakenFromTheOtherInTheNextRound()
    {
        var (rounds, a, b) = Run(o => o, o => o & ~(GuestTso | GuestCsum));
        Assert.Equal([Ring | Bit, All | Bit, (All & ~Tso & ~Csum) | Bit, All & ~Tso & ~Csum], rounds.History.Select(r => r.FirstOffer!.Value));
        Assert.Equal((All & ~Tso & ~Csum, All & ~GuestTso & ~GuestCsum), (a.Taken!.Value, b.Taken!.Value));
        string[] lost = [.. Losses.In(Rules, rounds, 2, Names)];
        Assert.Contains("a: VIRTIO_NET_F_HOST_TSO4: b is without VIRTIO_NET_F_GUEST_TSO4", lost);
        Assert.Contains("b: VIRTIO_NET_F_GUEST_CSUM: it refused it", lost);
        Assert.Equal(6, lost.Length);
        Assert.Empty(Losses.In(Rules, rounds, 3, Names));
    }

    [Fact]
    public void WhatRequiresALostFeatureIsLostToo()
    {
        var (rounds, _, _) = Run(o => o, o => o & ~GuestCsum);
        Assert.Contains("b: VIRTIO_NET_F_GUEST_TSO4: it requires VIRTIO_NET_F_GUEST_CSUM", Losses.In(Rules, rounds, 2, Names));
    }

    [Fact]
    public void WhoWaitsAloneIsInTheFirstRound()
    {
        var a = RoundEnd.Nobody.Arrive(1).Reads(Ring | Bit).Takes(Ring | Bit, Bit);
        var rounds = Rounds.None.Advance(Rules, a, RoundEnd.Nobody);
        Assert.Equal(Ring | Bit, rounds.OfferTo(0));
        Assert.Equal(RoundsPhase.Waiting, rounds.Phase(Rules, a, RoundEnd.Nobody, translate: true));
        Assert.Equal(Ring | Bit, Assert.Single(rounds.History).FirstTaken);
    }

    [Fact]
    public void BesideOneThatDoesNotKnowTheBitTheOfferIsFinalAtOnce()
    {
        var a = RoundEnd.Nobody.Arrive(1).Reads(Ring | Bit).Takes(Ring | Bit, Bit);
        var b = RoundEnd.Nobody.Accepts(2, All, Ring | GuestCsum | Csum);
        var rounds = Rounds.None.Advance(Rules, a, RoundEnd.Nobody).Advance(Rules, a, b);
        Assert.Equal(All & ~Tso, rounds.OfferTo(0));
        Assert.Equal(RoundsPhase.Negotiating, rounds.Phase(Rules, a, b, translate: true));
        a = a.Reads(All & ~Tso).Takes(All & ~Tso, Bit);
        Assert.Equal(RoundsPhase.Agreed, rounds.Advance(Rules, a, b).Phase(Rules, a, b, translate: true));
        a = a.Reads(All & ~Tso).Takes(Ring, Bit);
        Assert.Equal(RoundsPhase.Translated, rounds.Advance(Rules, a, b).Phase(Rules, a, b, translate: true));
        Assert.Equal(RoundsPhase.Failed, rounds.Advance(Rules, a, b).Phase(Rules, a, b, translate: false));
        Assert.Contains("a: VIRTIO_NET_F_HOST_TSO4: b is without VIRTIO_NET_F_GUEST_TSO4", Losses.In(Rules, rounds, 0, Names).Concat(Losses.In(Rules, rounds, 1, Names)));
    }

    [Fact]
    public void ADriverThatLeavesTheBitIsOutsideTheRounds()
    {
        var (rounds, a, b) = Run(o => o, o => o & ~Bit);
        Assert.Equal(RoundKind.Plain, b.Kind);
        Assert.Equal((All & ~Csum & ~Tso, Ring), (a.Taken!.Value, b.Taken!.Value));
        Assert.Equal(RoundsPhase.Agreed, rounds.Phase(Rules, a, b, translate: false));
    }

    [Fact]
    public void DriversThatRefuseOneFeatureAtATimeEndWithTheLeastInRoundEight()
    {
        // A mean one: of every offer it refuses the highest of those that let the other send.
        const ulong sends = Csum | Tso | Features.NetHostEcn | Features.NetHostUfo | Features.NetHostUso;
        const ulong takes = GuestCsum | GuestTso | Features.NetGuestEcn | Features.NetGuestUfo | Features.NetGuestUso4 | Features.NetGuestUso6;
        static ulong Grudging(ulong offer) => (offer & takes) == 0 ? offer : offer & ~(1UL << BitOperations.Log2(offer & takes));
        var (rounds, a, b) = Run(Grudging, Grudging, Rules with { First = Ring | sends | takes, Second = Ring | sends | takes });
        Assert.Equal(RoundRules.MaxRounds, rounds.History.Length);
        Assert.Equal((Ring, Ring), (a.Taken!.Value, b.Taken!.Value));
        Assert.Equal(RoundsPhase.Agreed, rounds.Phase(Rules, a, b, translate: false));
    }

    [Fact]
    public void ARestartBeginsAnewAndTheOtherLooksAgain()
    {
        var (rounds, a, b) = Run(o => o, o => o);
        b = b.Leave();
        rounds = rounds.Advance(Rules, a, b);
        Assert.Equal(All, rounds.OfferTo(0)); // it keeps what it has
        Assert.Equal(RoundsPhase.Waiting, rounds.Phase(Rules, a, b, translate: true));
        b = b.Arrive(9);
        rounds = rounds.Advance(Rules, a, b);
        Assert.Equal((Ring | Bit, Ring | Bit), (rounds.OfferTo(0)!.Value, rounds.OfferTo(1)!.Value));
        Assert.Single(rounds.History);
    }

    [Fact]
    public void AnAnswerToAnOfferOfBeforeSaysNothing()
    {
        var a = RoundEnd.Nobody.Arrive(1).Reads(All | Bit);
        var b = RoundEnd.Nobody.Arrive(2).Reads(Ring | Bit).Takes(Ring | Bit, Bit);
        a = a.Takes(All | Bit, Bit); // to an offer of an earlier attempt
        var rounds = Rounds.None.Advance(Rules, a, b);
        Assert.Null(Assert.Single(rounds.History).FirstTaken);
        Assert.Equal(RoundsPhase.Negotiating, rounds.Phase(Rules, a, b, translate: true));
    }

    private static (Rounds Rounds, RoundEnd A, RoundEnd B) Run(Func<ulong, ulong> first, Func<ulong, ulong> second, RoundRules? given = null)
    {
        var rules = given ?? Rules;
        RoundEnd a = RoundEnd.Nobody.Arrive(1), b = RoundEnd.Nobody.Arrive(2);
        var rounds = Rounds.None.Advance(rules, a, b);
        for (int i = 0; i < RoundRules.MaxRounds; i++)
        {
            a = Answer(a, rounds.OfferTo(0), first);
            rounds = rounds.Advance(rules, a, b);
            b = Answer(b, rounds.OfferTo(1), second);
            rounds = rounds.Advance(rules, a, b);
        }
        return (rounds, a, b);
    }

    private static RoundEnd Answer(RoundEnd end, ulong? offer, Func<ulong, ulong> take) =>
        end.Kind != RoundKind.Rounds || offer is not { } present || end.AnswerTo(present) != null
            ? end
            : end.Reads(present).Takes(take(present), Bit);
}
