using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>Putting back what was taken: back-pressure, and mergeable buffers that turn out too few.</summary>
public class SplitQueueUndoTests
{
    private const int Size = 4;

    private static TwoSidedQueue Queue(int start)
    {
        var queue = new TwoSidedQueue(Size, start: (ushort)start);
        for (int i = 0; i < Size; i++)
            queue.Raw.Descriptor(i, queue.Buffer((byte)i).GuestAddress, 1);
        return queue;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0xfffe)]
    public void UndonePopsComeAgainInOrder(int start)
    {
        using var queue = Queue(start);
        queue.Raw.Offer(3, 1, 2);
        for (int round = 0; round < 3; round++)
        {
            foreach (int head in (int[])[3, 1, 2])
            {
                Assert.Equal(PopResult.Chain, queue.Pop());
                Assert.Equal(head, queue.Chain.Head);
            }
            Assert.Equal(0, queue.Device.KnownAvailable);
            queue.Device.UndoPop(3);
            Assert.Equal(3, queue.Device.KnownAvailable);
            Assert.Equal((ushort)start, queue.Device.NextAvailable);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0xffff)]
    public void UndoingPartOfThePopsLeavesTheRest(int start)
    {
        using var queue = Queue(start);
        queue.Raw.Offer(0, 1, 2);
        for (int i = 0; i < 3; i++)
            queue.Pop();
        queue.Device.UndoPop(1);
        Assert.Equal((ushort)(start + 2), queue.Device.NextAvailable);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(2, queue.Chain.Head);
        Assert.Equal(PopResult.Empty, queue.Pop());
    }

    [Fact]
    public void UndoneChainIsReadAnewAndMayBeBadThen()
    {
        using var queue = Queue(0);
        queue.Raw.Offer(1, 2);
        Assert.Equal(PopResult.Chain, queue.Pop());
        queue.Device.UndoPop(1);
        queue.Raw.Descriptor(1, 0, 1);
        Assert.Equal(QueueFault.AddressNotMapped, queue.PopBadChain());
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(2, queue.Chain.Head);
    }

    [Fact]
    public void DriverMayAddWhileAChainIsUndone()
    {
        using var queue = Queue(0);
        queue.Raw.Offer(0);
        queue.Pop();
        queue.Device.UndoPop(1);
        queue.Raw.Offer(1);
        Assert.Equal(1, queue.Device.KnownAvailable);
        Assert.True(queue.Device.EnableKicks());
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(0, queue.Chain.Head);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(1, queue.Chain.Head);
        Assert.Equal(PopResult.Empty, queue.Pop());
        Assert.False(queue.Device.EnableKicks());
    }

    /// <summary>The undone chain was kicked for already; the event index must stand behind it, or the next kick never comes.</summary>
    [Fact]
    public void Spec_2_7_10_DriverKicksForWhatComesBehindAnUndoneChain()
    {
        using var queue = new TwoSidedQueue(Size, Features.RingEventIndex);
        queue.Driver.TryAdd([queue.Room(1)], [], 0);
        queue.Driver.Publish();
        Assert.Equal(PopResult.Chain, queue.Pop());
        queue.Device.UndoPop(1);
        Assert.False(queue.Device.EnableKicks());
        Assert.Equal(1, queue.Raw.AvailableEvent);
        queue.Driver.TryAdd([queue.Room(1)], [], 1);
        Assert.True(queue.Driver.Publish());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0xfffe)]
    public void UndoneUsedEntriesAreNeverSeen(int start)
    {
        using var queue = Queue(start);
        queue.Device.AddUsed(0, 10);
        queue.Device.AddUsed(1, 11);
        queue.Device.AddUsed(2, 12);
        queue.Device.UndoUsed(2);
        queue.Device.AddUsed(3, 13);
        queue.Device.PublishUsed();
        Assert.Equal((ushort)(start + 2), queue.Raw.UsedIndex);
        Assert.Equal((0u, 10u), queue.Raw.Used(start));
        Assert.Equal((3u, 13u), queue.Raw.Used(start + 1));
    }

    [Fact]
    public void AllUndoneIsNothingToPublish()
    {
        using var queue = Queue(0);
        queue.Device.AddUsed(0, 1);
        queue.Device.UndoUsed(1);
        Assert.False(queue.Device.PublishUsed());
        Assert.Equal(0, queue.Raw.UsedIndex);
    }
}
