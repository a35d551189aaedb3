using InterGuest.Switch.DataPath;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>A guest has its rate and no more, and loses nothing by it. With a clock that the test moves: by counting.</summary>
public class RateLimitTests
{
    private const int FrameBytes = 1000;

    // 1000 bytes in a millisecond.
    private const ulong BitsPerSecond = 8_000_000;

    private readonly FakeTime _time = new();
    private readonly PortCounters _counters = new(2);

    [Fact]
    public void TheBucketBeginsFullAndFillsAtItsRateUpToTheBurst()
    {
        var limit = Limit(burst: 3000);
        Assert.Equal(3000, limit.Left);
        limit.Charge(3000);
        Assert.True(limit.IsSpent);
        Pass(limit, milliseconds: 2);
        Assert.Equal(2000, limit.Left);
        Pass(limit, milliseconds: 3_600_000);
        Assert.Equal(3000, limit.Left);
    }

    [Fact]
    public void ADebtIsPaidBeforeTheNext()
    {
        var limit = Limit(burst: 3000);
        limit.Charge(65536);
        Assert.Equal(0, limit.Left);
        long wait = limit.Wait();
        Assert.Equal(63, wait); // 62536 bytes, and one to spend
        Pass(limit, wait - 1);
        Assert.True(limit.IsSpent);
        Pass(limit, 1);
        Assert.False(limit.IsSpent);
        Assert.Equal(1, _counters.TimesLimited);
    }

    /// <summary>However often it is asked, whatever part of a byte has come since.</summary>
    [Fact]
    public void NothingIsLostByLookingOften()
    {
        var limit = Limit(burst: 100_000);
        limit.Charge(100_000);
        for (int i = 0; i < 10_000; i++)
        {
            _time.Pass(TimeSpan.FromTicks(7)); // 0.7 bytes
            limit.Refill();
        }
        Assert.InRange(limit.Left, 6999, 7000);
    }

    /// <summary>The short way of plain frames, and the long one that a receiver with chains of two buffers needs.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AJoinStopsWhenItIsSpentAndGoesOnLater(bool longWay)
    {
        using var wire = longWay ? new Wire(receiver: new() { Features = Wire.Mergeable, ReceiveBufferBytes = 600 }) : new Wire();
        var limit = Limit(burst: 3000);
        using var join = new NetJoin(wire.Source, wire.Target, TimeSpan.FromSeconds(60), wire.Link) { Limit = limit };
        const int sent = 20;
        for (int i = 0; i < sent; i++)
            wire.Sender.Send(Frames.Numbered(i, FrameBytes));
        Assert.Equal(TurnResult.Limited, join.Turn(int.MaxValue, out _));
        Assert.Equal(3, wire.Link.Frames);
        Pass(limit, milliseconds: 1);
        Assert.Equal(TurnResult.Limited, join.Turn(int.MaxValue, out _));
        Assert.Equal(4, wire.Link.Frames);
        for (int i = 0; i < sent && wire.Link.Frames < sent; i++)
        {
            Pass(limit, milliseconds: 1);
            join.Turn(int.MaxValue, out _);
        }
        wire.AssertAccounted(sent, sent);
        for (int i = 0; i < sent; i++)
            Assert.Equal(i, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
    }

    /// <summary>Of a burst of 32 frames none may go beyond the tokens but the last.</summary>
    [Fact]
    public void TheShortWayStopsInTheMiddleOfABurst()
    {
        using var wire = new Wire();
        var limit = Limit(burst: 1500);
        using var join = new NetJoin(wire.Source, wire.Target, TimeSpan.FromSeconds(60), wire.Link) { Limit = limit };
        for (int i = 0; i < 10; i++)
            wire.Sender.Send(Frames.Numbered(i, FrameBytes));
        join.Turn(int.MaxValue, out _);
        Assert.Equal(2, wire.Link.Frames);
    }

    [Fact]
    public void TheQueuesOfAPortShareIt()
    {
        using var sender = new TestGuest(new() { QueuePairs = 2 });
        using var receiver = new TestGuest();
        var limit = Limit(burst: 3000);
        var link = new TrafficCounters();
        using var target = Wire.End(receiver, receiver.Receive(), new QueueCounters());
        using var first = Wire.End(sender, sender.Transmit(0), new QueueCounters());
        using var second = Wire.End(sender, sender.Transmit(1), new QueueCounters());
        NetJoin[] joins = [.. new[] { first, second }.Select(end => new NetJoin(end, target, TimeSpan.FromSeconds(60), link) { Limit = limit })];
        foreach (int pair in new[] { 0, 1 })
            for (int i = 0; i < 5; i++)
                sender.Transmit(pair).Send(default, Frames.Numbered(i, FrameBytes));
        foreach (var join in joins)
            Assert.Equal(TurnResult.Limited, join.Turn(int.MaxValue, out _));
        Assert.Equal(3, link.Frames);
        Array.ForEach(joins, j => j.Dispose());
    }

    /// <summary>Nobody kicks it: the loop wakes the join by itself, as often as it takes, and serves others meanwhile.</summary>
    [Fact]
    public void ALoopGoesOnWithALimitedJoinByItself()
    {
        const int sent = 50, burst = 2000;
        using var wire = new Wire();
        using var quiet = new Wire();
        using var fixture = new LoopFixture();
        var limit = new RateLimit(BitsPerSecond, burst, TimeProvider.System, _counters);
        var join = new NetJoin(wire.Source, wire.Target, TimeSpan.FromSeconds(60), wire.Link) { Limit = limit };
        for (int i = 0; i < sent; i++)
            wire.Sender.Send(Frames.Numbered(i, FrameBytes));
        var took = LoopFixture.Measure(() =>
        {
            fixture.Add(join, quiet.Join);
            Wait.Until(() => _counters.TimesLimited > 0, "it has to wait");
            quiet.Sender.Send(Frames.Numbered(7, 60));
            Assert.Equal(7, Frames.NumberOf(quiet.Receiver.ReceiveFrame()));
            for (int i = 0; i < sent; i++)
                Assert.Equal(i, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        });
        // Never faster than its rate: all but the burst, and the frame that a burst may end with.
        Assert.True(took.TotalMilliseconds >= sent - 1 - burst / FrameBytes - 1, $"{sent} frames of {FrameBytes} bytes in {took}");
        fixture.Remove(join);
        wire.AssertAccounted(sent, sent);
    }

    /// <summary>A join that must wait is not woken for nothing, however often the guest kicks.</summary>
    [Fact]
    public void AKickDoesNotEndTheWait()
    {
        using var wire = new Wire();
        using var fixture = new LoopFixture();
        var limit = Limit(burst: 1000); // of a clock that stands still
        var join = new NetJoin(wire.Source, wire.Target, TimeSpan.FromSeconds(60), wire.Link) { Limit = limit };
        for (int i = 0; i < 3; i++)
            wire.Sender.Send(Frames.Numbered(i, FrameBytes));
        fixture.Add(join);
        Wait.Until(() => _counters.TimesLimited > 0, "it has to wait");
        long before = wire.SenderCounters.Kicks;
        for (int i = 0; i < 20; i++)
        {
            wire.Sender.Transmit().Kick.Signal();
            fixture.LetItLook();
        }
        Assert.True(wire.SenderCounters.Kicks > before);
        Assert.Equal(1, wire.Link.Frames);
        fixture.Remove(join);
    }

    private RateLimit Limit(ulong burst) => new(BitsPerSecond, burst, _time, _counters);

    private void Pass(RateLimit limit, long milliseconds)
    {
        _time.Pass(TimeSpan.FromMilliseconds(milliseconds));
        limit.Refill();
    }
}
