using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>How frames go into the buffers a receiver offers (VIRTIO 1.2, 5.1.6.3 and 5.1.6.4).</summary>
public class ReceiveBufferTests
{
    private static readonly TestGuestOptions NoBuffers = new() { Features = Wire.Mergeable, ReceiveBuffers = 0, QueueSize = 8 };

    [Fact]
    public void AFrameFillsManySmallBuffersEachToItsEnd()
    {
        using var wire = new Wire(receiver: NoBuffers with { QueueSize = 128, ReceiveBuffers = -1, ReceiveBufferBytes = 100 });
        wire.Sender.Send(Frames.Numbered(1, 9000));
        wire.Pass();
        var written = wire.Returned().Select(r => r.Written).ToList();
        Assert.Equal([.. Enumerable.Repeat(100u, 90), 12u], written);
        wire.AssertAccounted(1, 1);
    }

    [Fact]
    public void NumBuffersSaysHowMany()
    {
        using var wire = new Wire(receiver: NoBuffers with { QueueSize = 1024, ReceiveBuffers = -1, ReceiveBufferBytes = 70 });
        foreach (int size in Frames.Sizes)
        {
            byte[] frame = Frames.Numbered(size, size);
            wire.Sender.Send(frame);
            wire.Pass();
            var received = wire.Receiver.Receive().NextFrame();
            Assert.Equal(frame, received.Frame);
            Assert.Equal((size + NetHeader.Bytes + 69) / 70, received.Buffers);
            Assert.Equal((uint)(size + NetHeader.Bytes), received.Written);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(11)]
    public void NumBuffersIsWrittenEvenWhereTheHeaderIsCut(int cut)
    {
        using var wire = new Wire(receiver: NoBuffers);
        ulong start = wire.Receiver.Memory.Allocate(100);
        var driver = wire.Receiver.Receive().Driver;
        Assert.True(driver.TryAdd([], [new(start, (uint)cut), new(start + (uint)cut, (uint)(40 - cut))], 1));
        Assert.True(driver.TryAdd([], [new(start + 40, 60)], 2));
        driver.Publish();
        byte[] frame = Frames.Numbered(1, 80);
        wire.Sender.Send(frame);
        wire.Pass();
        Assert.Equal([(1, 40u), (2, 52u)], wire.Returned());
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, .. frame], wire.Receiver.Memory.At(start, 92).ToArray());
    }

    [Fact]
    public void ABufferOfAHeaderAloneIsEnoughToBeginWith()
    {
        using var wire = new Wire(receiver: NoBuffers);
        wire.Receiver.Receive().PostBuffers(1, NetHeader.Bytes);
        wire.Receiver.Receive().PostBuffers(1, 100);
        wire.Sender.Send(Frames.Numbered(1, 60));
        wire.Pass();
        Assert.Equal([12u, 60u], wire.Returned().Select(r => r.Written));
    }

    [Fact]
    public void AFrameMayTakeTheWholeRing()
    {
        using var wire = new Wire(receiver: NoBuffers with { ReceiveBuffers = -1, ReceiveBufferBytes = 100 });
        wire.Sender.Send(Frames.Numbered(1, 788));
        wire.Pass();
        Assert.Equal(8, wire.Receiver.Receive().NextFrame().Buffers);
    }

    [Fact]
    public void AFrameThatTheWholeRingCannotHoldIsDroppedAndNothingIsLostWithIt()
    {
        using var wire = new Wire(receiver: NoBuffers with { ReceiveBuffers = -1, ReceiveBufferBytes = 100 });
        for (int i = 0; i < 20; i++)
        {
            wire.Sender.Send(Frames.Numbered(i, 789));
            Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
        }
        Assert.Equal(20, wire.Dropped(DropReason.TooLongForReceiver));
        Assert.Equal(0, wire.ReceivedRing.UsedIndex);
        AssertAllBuffersWork(wire, 8, sentBefore: 20);
    }

    [Fact]
    public void AFrameWaitsForAllItsBuffers()
    {
        using var wire = new Wire(receiver: NoBuffers);
        wire.Receiver.Receive().PostBuffers(3, 100);
        byte[] frame = Frames.Numbered(1, 388);
        wire.Sender.Send(frame);
        for (int i = 0; i < 5; i++)
            Assert.Equal(TransferResult.TargetEmpty, wire.Pass());
        Assert.Equal(0, wire.ReceivedRing.UsedIndex);
        wire.Receiver.Receive().PostBuffers(1, 100);
        Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
        Assert.Equal(frame, wire.Receiver.ReceiveFrame());
        wire.AssertAccounted(1, 1);
    }

    [Theory]
    [InlineData(TestGuest.PlainFeatures, 12)]
    [InlineData(Wire.Legacy, 10)]
    public void WithoutMergingOneBufferMustHoldAll(ulong features, int header)
    {
        using var wire = new Wire(receiver: new() { Features = features, QueueSize = 4, ReceiveBufferBytes = (uint)header + 100 });
        wire.Sender.Send(Frames.Numbered(0, 101));
        wire.Sender.Send(Frames.Numbered(1, 100));
        wire.Pass();
        Assert.Equal(1, wire.Dropped(DropReason.TooLongForReceiver));
        Assert.Equal(1, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        wire.AssertAccounted(2, 1);
        AssertAllBuffersWork(wire, 4, sentBefore: 2, deliveredBefore: 1);
    }

    [Theory]
    [InlineData(Wire.Mergeable)]
    [InlineData(TestGuest.PlainFeatures)]
    public void UselessBuffersAreGivenBackEmptyAndTheNextOnesUsed(ulong features)
    {
        using var wire = new Wire(receiver: NoBuffers with { Features = features });
        var driver = wire.Receiver.Receive().Driver;
        ulong memory = wire.Receiver.Memory.Allocate(4096);
        driver.TryAdd([], [new(0xdead_0000_0000, 2048)], 1); // not memory
        driver.TryAdd([], [new(memory, 11)], 2); // less than a header
        driver.TryAdd([new(memory, 2048)], [], 3); // nothing to write to
        driver.TryAdd([], [new(memory, 2048)], 4);
        driver.Publish();
        byte[] frame = Frames.Numbered(1, 500);
        wire.Sender.Send(frame);
        wire.Pass();
        Assert.Equal([(1, 0u), (2, 0u), (3, 0u), (4, 512u)], wire.Returned());
        Assert.Equal(frame, wire.Receiver.Memory.At(memory + 12, 500).ToArray());
        Assert.Equal([(QueueFault.AddressNotMapped, 1L), (QueueFault.BufferTooSmall, 2L)], wire.ReceiverCounters.Faults);
        wire.AssertAccounted(1, 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ABadBufferInTheMiddleSpoilsThoseBeforeItAndTheFrameGoesIntoTheNext(bool unmapped)
    {
        using var wire = new Wire(receiver: NoBuffers);
        var driver = wire.Receiver.Receive().Driver;
        ulong memory = wire.Receiver.Memory.Allocate(4096);
        driver.TryAdd([], [new(memory, 100)], 1);
        driver.TryAdd([], [new(memory + 100, 100)], 2);
        Assert.True(unmapped ? driver.TryAdd([], [new(1, 100)], 3) : driver.TryAdd([new(memory, 100)], [], 3));
        for (int i = 0; i < 4; i++)
            driver.TryAdd([], [new(memory + 1000 + (ulong)i * 100, 100)], 4 + i);
        driver.Publish();
        byte[] frame = Frames.Numbered(1, 300);
        wire.Sender.Send(frame);
        Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
        Assert.Equal([(1, 0u), (2, 0u), (3, 0u), (4, 100u), (5, 100u), (6, 100u), (7, 12u)], wire.Returned());
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, .. frame], wire.Receiver.Memory.At(memory + 1000, 312).ToArray());
        Assert.Equal(1, wire.ReceiverCounters.Faults.Sum(f => f.Count));
        wire.AssertAccounted(1, 1);
    }

    [Fact]
    public void ABrokenReceiveRingKeepsTheFrameAndNamesTheReceiver()
    {
        using var wire = new Wire();
        wire.Sender.Send(Frames.Numbered(1, 60));
        wire.ReceivedRing.AvailableIndex += 1000;
        Assert.Equal(TransferResult.TargetFault, wire.Pass());
        Assert.Equal(0, wire.SentRing.UsedIndex);
        Assert.Equal(QueueFault.AvailableIndexJumped, wire.Target.Queue.Fault);
    }

    [Fact]
    public void ABrokenRingInTheMiddleOfAFrameGivesNothingBack()
    {
        using var wire = new Wire(receiver: NoBuffers);
        wire.Receiver.Receive().PostBuffers(2, 100);
        wire.ReceivedRing.SetAvailable(1, 0x8000);
        wire.Sender.Send(Frames.Numbered(1, 150));
        Assert.Equal(TransferResult.TargetFault, wire.Pass());
        Assert.Equal((0, 0), (wire.ReceivedRing.UsedIndex, wire.SentRing.UsedIndex));
        Assert.Equal(QueueFault.HeadOutOfRange, wire.Target.Queue.Fault);
    }

    private static void AssertAllBuffersWork(Wire wire, int buffers, int sentBefore, int deliveredBefore = 0)
    {
        for (int i = 0; i < buffers; i++)
            wire.Sender.Send(Frames.Numbered(100 + i, 60));
        Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
        for (int i = 0; i < buffers; i++)
            Assert.Equal(Frames.Numbered(100 + i, 60), wire.Receiver.ReceiveFrame());
        wire.AssertAccounted(sentBefore + buffers, deliveredBefore + buffers);
    }
}
