using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>Putting back what was taken: back-pressure, and mergeable buffers that turn out too few.</summary>
public class SplitQueueRewindTests
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
            var before = queue.Device.Position;
            foreach (int head in (int[])[3, 1, 2])
            {
                Assert.Equal(PopResult.Chain, queue.Pop());
                Assert.Equal(head, queue.Chain.Ticket.Id);
            }
            queue.Device.Rewind(before);
            Assert.Equal((ushort)start, queue.Device.State);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0xffff)]
    public void UndoingPartOfThePopsLeavesTheRest(int start)
    {
        using var queue = Queue(start);
        queue.Raw.Offer(0, 1, 2);
        queue.Pop();
        queue.Pop();
        var before = queue.Device.Position;
        queue.Pop();
        queue.Device.Rewind(before);
        Assert.Equal((ushort)(start + 2), queue.Device.State);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(2, queue.Chain.Ticket.Id);
        Assert.Equal(PopResult.Empty, queue.Pop());
    }

    [Fact]
    public void UndoneChainIsReadAnewAndMayBeBadThen()
    {
        using var queue = Queue(0);
        queue.Raw.Offer(1, 2);
        var before = queue.Device.Position;
        Assert.Equal(PopResult.Chain, queue.Pop());
        queue.Device.Rewind(before);
        queue.Raw.Descriptor(1, 0, 1);
        Assert.Equal(QueueFault.AddressNotMapped, queue.PopBadChain());
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(2, queue.Chain.Ticket.Id);
    }

    [Fact]
    public void DriverMayAddWhileAChainIsUndone()
    {
        using var queue = Queue(0);
        queue.Raw.Offer(0);
        var before = queue.Device.Position;
        queue.Pop();
        queue.Device.Rewind(before);
        queue.Raw.Offer(1);
        Assert.True(queue.Device.EnableKicks());
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(0, queue.Chain.Ticket.Id);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(1, queue.Chain.Ticket.Id);
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
        var before = queue.Device.Position;
        Assert.Equal(PopResult.Chain, queue.Pop());
        queue.Device.Rewind(before);
        Assert.False(queue.Device.EnableKicks());
        Assert.Equal(1, queue.Raw.AvailableEvent);
        queue.Driver.TryAdd([queue.Room(1)], [], 1);
        Assert.True(queue.Driver.Publish());
    }
}
