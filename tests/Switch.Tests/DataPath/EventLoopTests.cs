using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>The loop: who wakes it, who waits, and that nobody waits for the wrong one.</summary>
public class EventLoopTests
{
    private const ulong EventIndex = TestGuest.PlainFeatures | Features.RingEventIndex;

    private static readonly TestGuestOptions NoBuffers = new() { ReceiveBuffers = 0 };

    [Theory]
    [InlineData(TestGuest.PlainFeatures)]
    [InlineData(EventIndex)]
    public void AKickWakesIt(ulong features)
    {
        using var wire = new Wire(new() { Features = features }, new() { Features = features });
        using var fixture = new LoopFixture();
        fixture.Add(wire.Join);
        for (int i = 0; i < 200; i++)
        {
            wire.Sender.Send(Frames.Numbered(i, 60));
            Assert.Equal(Frames.Numbered(i, 60), wire.Receiver.ReceiveFrame());
            wire.Sender.Transmit().NextUsed();
        }
        fixture.Remove(wire.Join);
        wire.AssertAccounted(200, 200);
        Assert.True(wire.SenderCounters.Kicks > 0);
        Assert.True(wire.ReceiverCounters.Calls > 0);
    }

    [Fact]
    public void WhatCameBeforeTheJoinIsNotForgotten()
    {
        using var wire = new Wire();
        wire.Sender.Send(Frames.Numbered(1, 60));
        wire.Sender.Transmit().Kick.Drain(); // the kick was for somebody before us
        using var fixture = new LoopFixture();
        fixture.Add(wire.Join);
        Assert.Equal(1, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
    }

    [Fact]
    public void ARingWithoutAKickIsPolled()
    {
        using var wire = new Wire();
        using var source = new QueueEnd(wire.Source.Queue, wire.Sender.Features, null, null, wire.SenderCounters);
        using var fixture = new LoopFixture();
        var join = new NetJoin(source, wire.Target, TimeSpan.FromSeconds(60), wire.Link);
        fixture.Add(join);
        for (int i = 0; i < 5; i++)
        {
            wire.Sender.Send(Frames.Numbered(i, 60));
            Assert.Equal(i, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        }
        fixture.Remove(join);
        wire.Source.Queue.Dispose();
    }

    [Fact]
    public void NoKickIsWantedExceptByTheSideThatIsWaitedFor()
    {
        using var wire = new Wire(receiver: NoBuffers);
        using var fixture = new LoopFixture();
        fixture.Add(wire.Join);
        Wait.Until(() => wire.SentRing.WantsKick, "an idle loop asks the sender for a kick");
        wire.Sender.Send(Frames.Numbered(1, 60));
        // It has the frame, and waits for the receiver.
        Wait.Until(() => !wire.SentRing.WantsKick && wire.ReceivedRing.WantsKick, "a waiting loop asks the receiver alone");
        wire.Receiver.Receive().PostBuffers(1, 2048);
        Assert.Equal(1, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        Wait.Until(() => wire.SentRing.WantsKick, "an idle loop asks the sender again");
    }

    [Fact]
    public void AJoinThatWasRemovedIsNeverTouchedAgain()
    {
        using var wire = new Wire();
        using var fixture = new LoopFixture();
        fixture.Add(wire.Join);
        wire.Sender.Send(Frames.Numbered(1, 60));
        wire.Receiver.ReceiveFrame();
        fixture.Remove(wire.Join);
        byte[] sent = [.. wire.SentRing.Used], received = [.. wire.ReceivedRing.Used];
        long kicks = wire.SenderCounters.Kicks;
        wire.Sender.Send(Frames.Numbered(2, 60));
        wire.Sender.Transmit().Kick.Signal();
        wire.Receiver.Receive().Kick.Signal();
        fixture.LetItLook();
        Assert.Equal(sent, wire.SentRing.Used.ToArray());
        Assert.Equal(received, wire.ReceivedRing.Used.ToArray());
        Assert.Equal(kicks, wire.SenderCounters.Kicks);
        Assert.Equal(0, fixture.Loop.JoinCount);
    }

    [Fact]
    public void AFloodingGuestDoesNotStarveAQuietOne()
    {
        using var flood = new Wire(new() { QueueSize = 1024 });
        using var quiet = new Wire();
        using var fixture = new LoopFixture();
        using var nowhere = new NetJoin(flood.Source, DropReason.NoLink, null);
        fixture.Add(nowhere, quiet.Join);
        using var stop = new CancellationTokenSource();
        var flooder = new Thread(() => Flood(flood, stop.Token));
        flooder.Start();
        Wait.Until(() => flood.Dropped(DropReason.NoLink) > 1000, "the flood flows");
        for (int i = 0; i < 100; i++)
        {
            quiet.Sender.Send(Frames.Numbered(i, 60));
            Assert.Equal(i, Frames.NumberOf(quiet.Receiver.ReceiveFrame()));
            quiet.Sender.Transmit().NextUsed();
        }
        stop.Cancel();
        flooder.Join();
        fixture.Remove(nowhere);
    }

    [Fact]
    public void ABrokenRingStopsItsGuestAlone()
    {
        using var broken = new Wire();
        using var sound = new Wire();
        using var fixture = new LoopFixture();
        fixture.Add(broken.Join, sound.Join);
        broken.SentRing.AvailableIndex = 5000;
        broken.Sender.Transmit().Kick.Signal();
        Wait.Until(() => !fixture.Faults.IsEmpty, "the fault is told");
        for (int i = 0; i < 50; i++)
        {
            broken.Sender.Transmit().Kick.Signal();
            sound.Sender.Send(Frames.Numbered(i, 60));
            Assert.Equal(i, Frames.NumberOf(sound.Receiver.ReceiveFrame()));
            sound.Sender.Transmit().NextUsed();
        }
        // Told once: the broken guest's kicks are heard no more.
        Assert.Equal([(broken.Source, QueueFault.AvailableIndexJumped)], fixture.Faults);
        Assert.Equal([(QueueFault.AvailableIndexJumped, 1L)], broken.SenderCounters.Faults);
        fixture.Remove(broken.Join);
        Assert.Equal(0, broken.SentRing.UsedIndex);
    }

    private static void Flood(Wire wire, CancellationToken stop)
    {
        var driver = wire.Sender.Transmit().Driver;
        var frame = new DriverBuffer(wire.Sender.Memory.Allocate(100), 100);
        while (!stop.IsCancellationRequested)
        {
            while (driver.TryAdd([frame], [], 0))
            {
            }
            wire.Sender.Transmit().KickIfWanted();
            while (driver.TryGetUsed(out _, out _))
            {
            }
        }
    }
}
