using InterGuest.Switch.DataPath;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>A receiver without buffers: its sender waits for the link's hold, then loses frames, and recovers (DESIGN, promise 3).</summary>
public class BackPressureTests
{
    private static readonly TestGuestOptions NoBuffers = new() { ReceiveBuffers = 0 };

    [Fact]
    public void ASenderWaitsForBuffersAndNothingIsLost()
    {
        using var wire = new Wire(new() { QueueSize = 16 }, NoBuffers);
        using var fixture = new LoopFixture();
        fixture.Add(wire.Join);
        for (int i = 0; i < 16; i++)
            wire.Sender.Send(Frames.Numbered(i, 60));
        fixture.LetItLook();
        // Back-pressure: the sender's ring stays full.
        Assert.Equal((16, 0), (wire.Sender.Transmit().Driver.InFlight, wire.SentRing.UsedIndex));
        for (int i = 0; i < 16; i++)
        {
            wire.Receiver.Receive().PostBuffers(1, 2048);
            Assert.Equal(i, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
            if (i < 15)
                i++;
            Assert.Equal(i, Frames.NumberOf(wire.Receiver.ReceiveFrame())); // into the buffer offered again
        }
        fixture.Remove(wire.Join);
        wire.AssertAccounted(16, 16);
    }

    [Fact]
    public void AfterTheHoldFramesAreDroppedUntilThereAreBuffersAgain()
    {
        var hold = TimeSpan.FromMilliseconds(150);
        using var wire = new Wire(receiver: NoBuffers, hold: hold);
        using var fixture = new LoopFixture();
        fixture.Add(wire.Join);
        for (int round = 1; round <= 2; round++)
        {
            // The first of a jam is held...
            var waited = LoopFixture.Measure(() =>
            {
                wire.Sender.Send(Frames.Numbered(1, 60));
                wire.Sender.Transmit().NextUsed();
            });
            Assert.InRange(waited, hold - TimeSpan.FromMilliseconds(20), TestGuest.Patience);
            Assert.Equal(3 * round - 2, wire.Dropped(DropReason.NoBuffers));
            // ...those behind it are not, or the jam would never end.
            wire.Sender.Send(Frames.Numbered(2, 60));
            wire.Sender.Send(Frames.Numbered(3, 60));
            wire.Sender.Transmit().NextUsed();
            wire.Sender.Transmit().NextUsed();
            Assert.Equal(3 * round, wire.Dropped(DropReason.NoBuffers));
            // The first that gets through ends it.
            wire.Receiver.Receive().PostBuffers(1, 2048);
            wire.Sender.Send(Frames.Numbered(4, 60));
            wire.Sender.Transmit().NextUsed();
            Assert.True(wire.Receiver.Receive().Driver.TryGetUsed(out _, out uint written));
            Assert.Equal(72u, written);
        }
        fixture.Remove(wire.Join);
        wire.AssertAccounted(8, 2);
    }

    [Fact]
    public void AReceiverThatKeepsUpSlowlyLosesNothing()
    {
        using var wire = new Wire(receiver: NoBuffers, hold: TimeSpan.FromSeconds(5));
        using var fixture = new LoopFixture();
        fixture.Add(wire.Join);
        wire.Receiver.Receive().PostBuffers(1, 2048);
        for (int i = 0; i < 64; i++)
            wire.Sender.Send(Frames.Numbered(i, 60));
        for (int i = 0; i < 64; i++)
            Assert.Equal(i, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        wire.AssertAccounted(64, 64);
    }

    [Fact]
    public void AJoinThatWaitsForBuffersCanBeRemoved()
    {
        using var wire = new Wire(receiver: NoBuffers, hold: TimeSpan.FromMilliseconds(50));
        using var other = new Wire(receiver: NoBuffers, hold: TimeSpan.FromMilliseconds(200));
        using var fixture = new LoopFixture();
        fixture.Add(wire.Join, other.Join);
        wire.Sender.Send(Frames.Numbered(1, 60));
        Wait.Until(() => !wire.SentRing.WantsKick && wire.ReceivedRing.WantsKick, "the join waits");
        fixture.Remove(wire.Join);
        other.Sender.Send(Frames.Numbered(1, 60));
        other.Sender.Transmit().NextUsed(); // its hold, later than the other's would have been, has ended
        Assert.Equal(1, other.Dropped(DropReason.NoBuffers));
        wire.AssertAccounted(0, 0);
    }

    [Fact]
    public void SleepingAndHoldingCostNoCpu()
    {
        using var waiting = new Wire(receiver: NoBuffers, hold: TimeSpan.FromMilliseconds(400));
        using var idle = new Wire();
        using var fixture = new LoopFixture();
        using var sleeper = new LoopFixture();
        fixture.Add(waiting.Join);
        sleeper.Add(idle.Join);
        idle.Sender.Send(Frames.Numbered(1, 60));
        idle.Receiver.ReceiveFrame();
        waiting.Sender.Send(Frames.Numbered(1, 60));
        Wait.Until(() => !waiting.SentRing.WantsKick && waiting.ReceivedRing.WantsKick, "the join waits");
        var (before, sleeperBefore) = (fixture.CpuTime(), sleeper.CpuTime());
        var elapsed = LoopFixture.Measure(() => waiting.Sender.Transmit().NextUsed());
        Assert.InRange(elapsed.TotalMilliseconds, 200, 20_000);
        Assert.InRange((fixture.CpuTime() - before).TotalMilliseconds, 0, 40);
        Assert.InRange((sleeper.CpuTime() - sleeperBefore).TotalMilliseconds, 0, 5);
    }
}
