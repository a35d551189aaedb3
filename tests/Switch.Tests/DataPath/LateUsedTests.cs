using System.Diagnostics;
using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>A sender that polls sees the last of its frames used late: when there are more, or when there is nothing to do.</summary>
public sealed class LateUsedTests
{
    private const int Late = 32, Burst = 8;

    private static readonly TestGuestOptions Large = new() { QueueSize = 256 };

    [Fact]
    public void ASenderThatPollsNeverSeesTheLastOnesWhileItGoesOn()
    {
        using var wire = new Wire(Large, Large);
        wire.Sender.Transmit().Driver.DisableCalls();
        for (int sent = Burst; sent <= 20 * Burst; sent += Burst)
        {
            Send(wire, Burst);
            Assert.Equal(Burst, wire.Returned().Count); // the receiver has them at once
            Assert.Equal(Math.Max(0, sent - Late), wire.SentRing.UsedIndex);
            wire.Receiver.Receive().PostBuffers(Burst, 2048);
        }
        Assert.Equal(TurnResult.Idle, wire.Join.Turn(budget: 1, out _));
        Assert.Equal(20 * Burst - Late, wire.SentRing.UsedIndex);
        Assert.True(wire.Join.TrySleep());
        Assert.Equal(20 * Burst, wire.SentRing.UsedIndex);
    }

    [Fact]
    public void OneThatWaitsForACallSeesAllAtOnce()
    {
        using var wire = new Wire(Large, Large);
        Send(wire, 1);
        Assert.Equal(1, wire.SentRing.UsedIndex);
        wire.Sender.Transmit().Driver.DisableCalls();
        Send(wire, Burst);
        Assert.Equal(1, wire.SentRing.UsedIndex);
        // It begins to wait: the next turn, in which there is nothing, calls it.
        long calls = wire.SenderCounters.Calls;
        wire.Sender.Transmit().Driver.EnableCalls();
        wire.Pass();
        Assert.Equal((1 + Burst, calls + 1), (wire.SentRing.UsedIndex, wire.SenderCounters.Calls));
    }

    /// <summary>With event_idx it always says when. A packed ring's driver frees frames that take one entry of the ring one by one.</summary>
    [Theory]
    [InlineData(Features.RingEventIndex, 0)]
    [InlineData(Features.RingPacked, 0)]
    [InlineData(Features.RingPacked | Features.RingIndirectDescriptors, 8)]
    public void SoDoesOneForWhichItIsOfNoUse(ulong features, int maxIndirect)
    {
        using var wire = new Wire(Large with { Features = TestGuest.PlainFeatures | features, MaxIndirect = maxIndirect });
        wire.Sender.Transmit().Driver.DisableCalls();
        for (int i = 0; i < Burst; i++)
            wire.Sender.Transmit().SendIn(default, Frames.Numbered(i, 60), maxIndirect > 0 ? [40] : [72]);
        wire.Pass();
        Assert.Equal(Burst, Used(wire));
    }

    /// <summary>What is seen late is a quarter of the ring at most: it counts half of the descriptors on both sides; here each frame goes to one.</summary>
    [Theory]
    [InlineData(0UL, 64, 1, 16)]
    [InlineData(0UL, 64, 3, 8)]
    [InlineData(Features.RingPacked, 64, 3, 8)]
    [InlineData(0UL, 256, 31, 4)]
    [InlineData(0UL, 256, 1, 32)]
    [InlineData(0UL, 1024, 1, 32)]
    public void ItIsNoMoreThanTheRingHasRoomFor(ulong features, int size, int pieces, int late)
    {
        using var wire = new Wire(new() { QueueSize = size, Features = TestGuest.PlainFeatures | features }, Large);
        wire.Sender.Transmit().Driver.DisableCalls();
        int sent = 0, used = 0;
        for (int round = 0; round < 10; round++)
        {
            for (int i = 0; i < 4; i++, sent++)
                wire.Sender.Transmit().SendIn(default, new byte[620 - 12], [(619 + pieces) / pieces]);
            wire.Pass();
            used += Used(wire);
            wire.Returned();
            wire.Receiver.Receive().PostBuffers(4, 2048);
            Assert.Equal(Math.Max(0, sent - late), used);
        }
    }

    [Fact]
    public void NothingIsKeptFromASenderThatHasToWait()
    {
        using var wire = new Wire(Large, new() { ReceiveBuffers = Burst });
        wire.Sender.Transmit().Driver.DisableCalls();
        for (int i = 0; i <= Burst; i++)
            wire.Sender.Send(Frames.Numbered(i, 60));
        Assert.Equal(TransferResult.TargetEmpty, wire.Pass());
        Assert.Equal(Burst, wire.SentRing.UsedIndex);
    }

    [Fact]
    public void NorWhenTheJoinEnds()
    {
        using var wire = new Wire(Large, Large);
        wire.Sender.Transmit().Driver.DisableCalls();
        Send(wire, Burst);
        Assert.Equal(0, wire.SentRing.UsedIndex);
        wire.Join.Dispose();
        Assert.Equal(Burst, wire.SentRing.UsedIndex);
    }

    /// <summary>A loop that sleeps shows all before; so does a join that sleeps while others keep the loop awake.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ItIsNotLateForLong(bool others)
    {
        using var busy = new Wire();
        using var wire = new Wire(Large, Large);
        using var loop = new EventLoop(6997, TimeSpan.FromMilliseconds(1));
        loop.Start();
        loop.Invoke(() => loop.Add(busy.Join));
        loop.Invoke(() => loop.Add(wire.Join));
        wire.Sender.Transmit().Driver.DisableCalls();
        for (int i = 0; i < Burst; i++)
            wire.Sender.Send(Frames.Numbered(i, 60));
        long started = Stopwatch.GetTimestamp();
        while (wire.SentRing.UsedIndex < Burst)
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TestGuest.Patience, $"{wire.SentRing.UsedIndex} of {Burst} frames are seen");
            if (others)
                busy.PassOne();
        }
        loop.Invoke(() => loop.Remove(busy.Join));
        loop.Invoke(() => loop.Remove(wire.Join));
        Assert.Equal(Burst, wire.Link.Frames);
    }

    private static int Used(Wire wire)
    {
        int used = 0;
        for (; wire.Sender.Transmit().Driver.TryGetUsed(out _, out _); used++)
            ;
        return used;
    }

    private static void Send(Wire wire, int frames)
    {
        for (int i = 0; i < frames; i++)
            wire.Sender.Send(Frames.Numbered(i, 60));
        wire.Pass();
    }
}
