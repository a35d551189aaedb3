using System.Buffers.Binary;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

public class ChainTests
{
    [Fact]
    public void NewChainIsEmpty()
    {
        using var chain = new Chain();
        Assert.Equal((0UL, 0UL, 0UL, 0UL), (chain.ReadableBytes, chain.WritableBytes, chain.Readable.Remaining, chain.Writable.Remaining));
    }

    [Fact]
    public void EachCursorStartsAtTheBeginning()
    {
        using var queue = new TwoSidedQueue(4);
        queue.Driver.TryAdd([queue.Buffer(1, 2)], [queue.Room(1)], 0);
        queue.Driver.Publish();
        queue.Pop();
        Assert.Equal([1, 2], queue.Readable());
        Assert.Equal([1, 2], queue.Readable());
    }

    /// <summary>DPDK leaves WRITE in tables of packed rings by which it sends; a network device has nothing to write there.</summary>
    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 0)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    public void WriteInTablesMeansNothingWhereNothingIsWritten(bool onlyReads, int marked)
    {
        using var queue = new TwoSidedQueue(8, Features.RingPacked | Features.RingIndirectDescriptors, maxIndirect: 8, onlyReads: onlyReads);
        queue.Driver.TryAdd([queue.Buffer(1, 2), queue.Buffer(3), queue.Buffer(4)], [], 0);
        queue.Driver.Publish();
        var memory = queue.Memory.Layout;
        ulong ring = queue.Driver.Layout.Descriptors - memory.UserAddress + memory.GuestAddress;
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(queue.Memory.At(ring, 8));
        queue.Memory.At(table + 16 * (ulong)marked + 14, 1)[0] |= RawRing.Write;
        if (!onlyReads)
        {
            Assert.Equal(QueueFault.ReadableAfterWritable, queue.PopBadChain());
            return;
        }
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal([1, 2, 3, 4], queue.Readable());
        Assert.Equal(0UL, queue.Chain.WritableBytes);
    }

    [Fact]
    public void LoadingAnewForgetsTheLastChain()
    {
        using var queue = new TwoSidedQueue(64);
        var buffer = queue.Buffer(1, 2, 3);
        queue.Driver.TryAdd([.. Enumerable.Repeat(buffer, 30)], [.. Enumerable.Repeat(queue.Room(1), 10)], 0);
        queue.Driver.TryAdd([], [queue.Room(7)], 1);
        queue.Driver.Publish();
        queue.Pop();
        Assert.Equal((90UL, 10UL), (queue.Chain.ReadableBytes, queue.Chain.WritableBytes));
        queue.Pop();
        Assert.Equal((0UL, 7UL), (queue.Chain.ReadableBytes, queue.Chain.WritableBytes));
    }

    /// <summary>The specification allows no more entries than the queue has; real drivers of short queues make up to 1024.</summary>
    [Theory]
    [InlineData(8, 0)]
    [InlineData(8, Features.RingPacked)]
    [InlineData(2048, 0)]
    [InlineData(2048, Features.RingPacked)]
    public void Spec_2_7_5_3_1_ATableIsNotLongerThanTheQueueOr1024(int size, ulong format)
    {
        int most = Math.Max(size, 1024);
        using var queue = new TwoSidedQueue(size, format | Features.RingIndirectDescriptors, maxIndirect: most + 1, memoryBytes: 128 << 20);
        var buffer = queue.Buffer(7);
        queue.Driver.TryAdd([.. Enumerable.Repeat(buffer, most)], [], 0);
        queue.Driver.TryAdd([.. Enumerable.Repeat(buffer, most + 1)], [], 1);
        queue.Driver.Publish();
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(most, queue.Chain.Descriptors);
        Assert.Equal(QueueFault.IndirectTooLong, queue.PopBadChain());
    }

    [Fact]
    public void DisposedTwiceIsFreedOnce()
    {
        var chain = new Chain();
        chain.Dispose();
        chain.Dispose();
        Assert.Equal(0UL, chain.Readable.Remaining);
    }

    /// <summary>Its memory is freed: loading it would write to what is not ours.</summary>
    [Fact]
    public void DisposedChainCannotBeLoaded()
    {
        using var queue = new TwoSidedQueue(4);
        queue.Driver.TryAdd([queue.Buffer(1)], [], 0);
        queue.Driver.Publish();
        var chain = new Chain();
        chain.Dispose();
        Assert.ThrowsAny<Exception>(() => queue.Device.TryPop(chain));
    }
}
