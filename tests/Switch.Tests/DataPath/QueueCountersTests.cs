using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>What is counted per ring, and how a port sums it up.</summary>
public sealed class QueueCountersTests
{
    /// <summary>VIRTIO 1.2, 2.7.7: each side may ask the other to be left alone.</summary>
    [Fact]
    public void KicksAndCallsThatWereSparedAreCounted()
    {
        using var wire = new Wire();
        wire.Sender.Send(Frames.Numbered(1, 60));
        wire.Pass(); // nobody told the counters of a kick
        wire.SenderCounters.Kicked();
        wire.Sender.Send(Frames.Numbered(2, 60));
        wire.Pass();
        wire.Pass(); // nothing there: no turn to be kicked for, none to call for
        Assert.Equal((1, 1), (wire.SenderCounters.Kicks, wire.SenderCounters.KicksSuppressed));
        Assert.Equal((2, 0), (wire.ReceiverCounters.Calls, wire.ReceiverCounters.CallsSuppressed));
        wire.Receiver.Receive().Driver.DisableCalls();
        wire.Sender.Send(Frames.Numbered(3, 60));
        wire.Pass();
        Assert.Equal((2, 1), (wire.ReceiverCounters.Calls, wire.ReceiverCounters.CallsSuppressed));
        Assert.Equal(0, wire.ReceiverCounters.KicksSuppressed);
    }

    [Fact]
    public void AFrameThatWaitsIsNoTurnOfWork()
    {
        using var wire = new Wire(receiver: new() { ReceiveBuffers = 0 });
        wire.Sender.Send(Frames.Numbered(1, 60));
        for (int i = 0; i < 3; i++)
            Assert.Equal(TransferResult.TargetEmpty, wire.Pass());
        Assert.Equal(0, wire.SenderCounters.KicksSuppressed);
        Assert.Equal(0, wire.ReceiverCounters.CallsSuppressed);
    }

    [Fact]
    public void APortIsTheSumOfItsRings()
    {
        var port = new PortCounters(4);
        foreach (int ring in Enumerable.Range(0, 4))
        {
            var queue = port.Rings[ring];
            for (int i = 0; i <= ring; i++)
                queue.Traffic.Delivered(1, 100);
            queue.Kicked();
            queue.Called();
            queue.Faulted(ring < 2 ? QueueFault.BufferTooSmall : QueueFault.ChainTooLong);
        }
        port.Rings[1].Traffic.Dropped(DropReason.TooLong);
        port.Rings[3].Traffic.Dropped(DropReason.TooLong);
        port.Rings[3].Traffic.Dropped(DropReason.NoLink);
        Assert.Equal((6, 600, 4, 400), (port.SentFrames, port.SentBytes, port.ReceivedFrames, port.ReceivedBytes));
        Assert.Equal((4, 4), (port.Kicks, port.Calls));
        Assert.Equal([(DropReason.NoLink, 1), (DropReason.TooLong, 2)], port.Drops);
        Assert.Equal(4, port.Faults.Sum(f => f.Count));
        Assert.Equal(2, port.Faults.Count());
    }
}
