using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;
using LinkPolicy = InterGuest.Switch.Control.LinkPolicy;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Rounds over real sockets (docs/multi-round.md): each state, and what may happen in it.</summary>
public class RoundsLinkTests
{
    private const ulong Bit = 1UL << FeatureRounds.DefaultBit;
    private const ulong Sends = Features.NetChecksum | Features.NetHostTso4, Takes = Features.NetGuestChecksum | Features.NetGuestTso4;
    private const ulong Plain = Features.Version1 | Features.NetMergeableBuffers | Features.RingEventIndex;

    [Fact]
    public void TwoGuestsAgreeInThreeRounds()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        using var b = new RoundsGuest(board.B, Plain | Sends | Takes);
        a.Answer();
        b.Answer();
        Assert.Equal(0UL, a.Offers[0] & (Sends | Takes));
        Assert.Equal(Bit, a.Offers[0] & Bit);
        for (int round = 2; round <= 3; round++)
        {
            Assert.Equal(NegotiationState.Negotiating, board.Negotiation.State);
            a.LookAgain();
            b.LookAgain();
        }
        Assert.Equal((Plain | Sends | Takes, Plain | Sends | Takes), (a.Features, b.Features));
        Assert.Equal(NegotiationState.Agreed, board.Negotiation.State);
        Assert.Equal([1u, 2u, 3u], board.Negotiation.Rounds.Select(r => r.Number));
        Assert.Equal([false, false, true], board.Negotiation.Rounds.Select(r => r.Final));
        Assert.False(a.IsAskedToLookAgain(TimeSpan.Zero));
    }

    [Fact]
    public void WhatOneRefusedIsTakenFromTheOtherAndShownWithItsReason()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        using var b = new RoundsGuest(board.B, Plain | Sends);
        a.Answer();
        b.Answer();
        for (int round = 2; round <= 4; round++)
        {
            a.LookAgain();
            b.LookAgain();
        }
        Assert.Equal((Plain | Takes, Plain | Sends), (a.Features, b.Features));
        var third = board.Negotiation.Rounds[2];
        Assert.Contains("a: VIRTIO_NET_F_HOST_TSO4: b is without VIRTIO_NET_F_GUEST_TSO4", third.Lost);
        Assert.Contains("VIRTIO_F_MULTI_ROUND", third.Sides[0].Offered);
        Assert.DoesNotContain("VIRTIO_NET_F_CSUM", third.Sides[0].Offered);
        Assert.Contains("VIRTIO_NET_F_CSUM", third.Sides[1].Taken);
    }

    [Fact]
    public void TheFirstWaitsHoweverLongAndHasNotToDoItsRoundAgain()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        a.Answer();
        Assert.Equal(NegotiationState.Waiting, board.Negotiation.State);
        Assert.Contains("until both guests have said", board.Switch.Link("wire").Reason, StringComparison.Ordinal);
        using var b = new RoundsGuest(board.B, Plain);
        Assert.False(a.IsAskedToLookAgain(TimeSpan.Zero));
        b.Answer();
        a.LookAgain();
        Assert.Equal(2, a.Offers.Count);
    }

    [Fact]
    public void ARestartInTheMiddleBeginsAnew()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        var first = new RoundsGuest(board.B, Plain | Sends | Takes);
        a.Answer();
        first.Answer();
        a.LookAgain(); // round 2
        first.Dispose();
        board.Switch.PortIn(PortState.Listening, "b");
        Assert.Equal(NegotiationState.Waiting, board.Negotiation.State);
        using var b = new RoundsGuest(board.B, Plain);
        a.LookAgain();
        Assert.Equal(a.Offers[0], a.Offers[2]);
        b.Answer();
        Finish(a, b);
        Assert.Equal((Plain | Takes, Plain), (a.Features, b.Features));
    }

    [Fact]
    public void BesideAGuestWithoutRoundsTheOfferIsFinal()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        a.Answer();
        Assert.Null(a.Accepted);
        using var b = TestGuest.Run(board.B, new() { Features = TestGuest.PlainFeatures | Features.NetGuestChecksum });
        a.LookAgain();
        Assert.Equal(Plain | Takes | Features.NetChecksum, a.Features);
        Assert.Equal(NegotiationState.Agreed, board.Negotiation.State);
        var round = Assert.Single(board.Negotiation.Rounds);
        Assert.True(round is { Final: true, Sides: [{ InRounds: true, Answered: true }, { InRounds: false }] });
    }

    [Fact]
    public void AFrontEndWithoutRoundsNeverSeesTheBit()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        a.Answer();
        using var b = new TestGuest();
        b.Connect(board.B);
        Assert.Equal(0UL, b.Offered & Bit);
        Assert.Equal(Sends | Takes, b.Offered & (Sends | Takes));
        Assert.Equal(0UL, a.FirstOffer & Bit);
    }

    [Fact]
    public void ADriverWithAnotherBitIsOneWithoutRounds()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        using var b = new RoundsGuest(board.B, Plain | Sends | Takes, bit: 48);
        a.Answer();
        b.Answer();
        Assert.Equal(Plain, b.Features);
        a.LookAgain();
        Assert.Equal((NegotiationState.Agreed, Plain | Takes), (board.Negotiation.State, a.Features));
    }

    [Fact]
    public void WhatWasNotInTheOfferOfTheRoundIsRefused()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends);
        a.Answer();
        Assert.Throws<IOException>(() => a.FrontEnd.Set(RequestCode.SetFeatures, Plain | Sends | Features.VhostUserProtocolFeatures));
        Assert.Contains("never offered (VIRTIO_NET_F_CSUM", board.Switch.PortIn(PortState.Faulted, "a").Fault.Replace("offered: ", "offered (", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void NoFramePassesBeforeTheyAgree()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain);
        a.Answer();
        // A driver that starts its rings in spite of the bit, beside one that is a round behind.
        using var eager = new TestGuest(new() { Features = Plain | Features.VhostUserProtocolFeatures });
        using var b = new RoundsGuest(board.B, Plain);
        b.Answer();
        eager.Attach(b.FrontEnd);
        eager.StartMemoryAndRings();
        eager.Send(Frames.Numbered(1, 60));
        eager.Transmit().NextUsed();
        Assert.Equal(1ul, board.Switch.Port("b").Dropped("negotiating"));
    }

    [Fact]
    public void WhatOneSendsInTheLastRoundWaitsUntilTheOtherHasStarted()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain);
        using var b = new RoundsGuest(board.B, Plain);
        using var early = InLastRound(a, b);
        byte[] before = Frames.Numbered(1, 60), after = Frames.Numbered(2, 60);
        early.Send(before);
        b.LookAgain();
        Assert.Equal(NegotiationState.Agreed, board.Negotiation.State);
        early.Send(after);
        using var late = Started(b);
        Assert.Equal(before, late.ReceiveFrame());
        Assert.Equal(after, late.ReceiveFrame());
        Assert.Empty(board.Switch.Port("a").Counters.Drops);
    }

    [Fact]
    public void AndNotLongerThanForBuffers()
    {
        using var board = new Board(hold: TimeSpan.FromMilliseconds(50));
        using var a = new RoundsGuest(board.A, Plain);
        using var b = new RoundsGuest(board.B, Plain);
        using var early = InLastRound(a, b);
        early.Send(Frames.Numbered(1, 60));
        early.Transmit().NextUsed();
        Assert.Equal(1ul, board.Switch.Port("a").Dropped("negotiating"));
    }

    [Fact]
    public void OnALinkThatTranslatesThereAreNoRounds()
    {
        using var board = new Board(LinkPolicy.Translate);
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        a.Answer();
        Assert.Equal(Plain | Sends | Takes, a.Features);
        Assert.Equal(NegotiationState.None, board.Negotiation.State);
    }

    [Theory]
    [InlineData(LinkPolicy.Minimal)]
    [InlineData(LinkPolicy.MultiRound)]
    public void GuestsWithoutRoundsAreOfferedTheLeastIfThePolicySaysSo(LinkPolicy policy)
    {
        using var board = new Board(policy);
        using var a = new TestGuest();
        a.Connect(board.A);
        Assert.Equal(0UL, a.Offered & (Sends | Takes));
        Assert.Equal(Plain, a.Offered & Plain);
    }

    [Fact]
    public void AnotherLinkNegotiatesAnew()
    {
        using var board = new Board();
        using var a = new RoundsGuest(board.A, Plain | Sends | Takes);
        using var b = new RoundsGuest(board.B, Plain);
        a.Answer();
        b.Answer();
        Finish(a, b);
        board.Switch.Do(s => s.DeleteLink("wire"));
        Assert.False(a.IsAskedToLookAgain(TimeSpan.Zero));
        string third = board.Switch.AddPort("c");
        board.Switch.AddLink("wire", "a", "c");
        using var c = new RoundsGuest(third, Plain | Sends | Takes);
        a.LookAgain();
        c.Answer();
        Finish(a, c);
        Assert.Equal(Plain | Sends | Takes, a.Features);
    }

    /// <summary>The first has answered the last offer and started its rings, the second has not read it.</summary>
    private static TestGuest InLastRound(RoundsGuest a, RoundsGuest b)
    {
        a.Answer();
        b.Answer();
        a.LookAgain();
        b.LookAgain();
        a.LookAgain();
        Assert.NotNull(a.Accepted);
        return Started(a);
    }

    private static TestGuest Started(RoundsGuest negotiated)
    {
        var guest = new TestGuest(new() { Features = Plain | Features.VhostUserProtocolFeatures });
        guest.Attach(negotiated.FrontEnd);
        guest.StartMemoryAndRings();
        return guest;
    }

    /// <summary>Lets both answer until neither is asked any more.</summary>
    private static void Finish(RoundsGuest a, RoundsGuest b)
    {
        while (a.Accepted == null || b.Accepted == null)
            foreach (var guest in new[] { a, b })
                if (guest.IsAskedToLookAgain(TimeSpan.FromMilliseconds(guest.Accepted == null ? 100 : 0)))
                    guest.AnswerAnew();
    }

    /// <summary>Two ports, a and b, on one link.</summary>
    private sealed class Board : IDisposable
    {
        public Board(LinkPolicy policy = LinkPolicy.Auto, TimeSpan? hold = null)
        {
            (A, B) = (Switch.AddPort("a"), Switch.AddPort("b"));
            Switch.Do(s => s.CreateLink("wire", ["a", "b"], hold ?? TimeSpan.FromSeconds(10), policy: policy));
        }

        public TestSwitch Switch { get; } = new();

        public string A { get; }

        public string B { get; }

        public Protos.V1.Negotiation Negotiation => Switch.Link("wire").Negotiation;

        public void Dispose() => Switch.Dispose();
    }
}
