using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>Well-behaved drivers: every shape of chain, every size of queue, more chains than the index has numbers.</summary>
public class QueueRoundTripTests
{
    private const ulong Indirect = Features.RingIndirectDescriptors, Packed = Features.RingPacked;

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(4, 0)]
    [InlineData(256, 0)]
    [InlineData(32768, 0)]
    [InlineData(1, 6)] // indirect, but for chains of one
    [InlineData(2, 6)]
    [InlineData(4, 6)]
    [InlineData(256, 6)]
    [InlineData(32768, 6)]
    [InlineData(4, 3)] // mixed: longer chains are direct
    [InlineData(256, 3)]
    [InlineData(32768, 3)]
    [InlineData(1, 0, Packed)]
    [InlineData(2, 0, Packed)]
    [InlineData(5, 0, Packed)] // not a power of two
    [InlineData(256, 0, Packed)]
    [InlineData(32768, 0, Packed)]
    [InlineData(1, 6, Packed)]
    [InlineData(5, 3, Packed)]
    [InlineData(256, 3, Packed)]
    [InlineData(32768, 6, Packed)]
    public void Spec_2_7_13_and_2_8_RoundTripsBeyondTheWrapOfTheIndex(int size, int maxIndirect, ulong format = 0)
    {
        int maxPieces = Math.Max(Math.Min(size, 6), maxIndirect == 6 ? 6 : 0);
        using var queue = new TwoSidedQueue(size, format | (maxIndirect > 0 ? Indirect : 0), maxIndirect, memoryBytes: 8 << 20);
        var workload = new EchoWorkload(queue, maxPieces, seed: size + maxIndirect);
        var random = new Random(size);
        while (workload.Completed < 71_000)
        {
            workload.Offer(random.Next(1, size + 1));
            workload.Serve(random.Next(1, size + 1));
            workload.Collect();
        }
        Assert.NotEqual(0, workload.Completed >> 16);
        while (queue.Driver.InFlight > 0)
        {
            workload.Serve(int.MaxValue);
            workload.Collect();
        }
        Assert.Equal(size, queue.Driver.Free);
        if (format == 0)
            Assert.Equal(queue.Device.State, queue.Raw.UsedIndex);
        else
            Assert.Equal(queue.Device.State >> 16, queue.Device.State & 0xffff);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(256)]
    [InlineData(32768)]
    [InlineData(1, Packed)]
    [InlineData(3, Packed)]
    [InlineData(32768, Packed)]
    public void Spec_2_7_5_1_ChainAsLongAsTheQueue(int size, ulong format = 0)
    {
        using var queue = new TwoSidedQueue(size, format, memoryBytes: 4 << 20);
        byte[] content = new byte[size];
        new Random(size).NextBytes(content);
        var whole = queue.Buffer(content);
        DriverBuffer[] bytes = [.. Enumerable.Range(0, size).Select(i => new DriverBuffer(whole.GuestAddress + (uint)i, 1))];
        for (int split = 0; split <= size; split += Math.Max(1, size / 4))
        {
            Assert.True(queue.Driver.TryAdd(bytes.AsSpan(0, split), bytes.AsSpan(split), 1));
            queue.Driver.Publish();
            Assert.Equal(PopResult.Chain, queue.Pop());
            Assert.Equal((ulong)split, queue.Chain.ReadableBytes);
            Assert.Equal((ulong)(size - split), queue.Chain.WritableBytes);
            Assert.Equal(content[..split], queue.Readable());
            queue.Device.AddUsed(queue.Chain.Ticket, 0);
            queue.Device.PublishUsed();
            Assert.True(queue.Driver.TryGetUsed(out _, out _));
        }
    }

    [Fact]
    public void Spec_2_7_5_3_1_IndirectTableMayBeLongerThanAQueueOfOne()
    {
        using var queue = new TwoSidedQueue(1, Indirect, maxIndirect: 16);
        var buffer = queue.Buffer(1, 2, 3, 4);
        Assert.True(queue.Driver.TryAdd([buffer, buffer, buffer], [queue.Room(8)], 0));
        queue.Driver.Publish();
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], queue.Readable());
        Assert.Equal(8UL, queue.Chain.WritableBytes);
    }

    [Fact]
    public void Spec_2_7_5_3_2_DirectDescriptorsBeforeAnIndirectTable()
    {
        using var queue = new TwoSidedQueue(8, Indirect);
        var head = queue.Buffer(1, 2);
        ulong table = queue.Memory.Allocate(48);
        var rest = queue.Buffer(3, 4, 5);
        queue.Raw.Descriptor(5, head.GuestAddress, 2, RawRing.Next, next: 2);
        queue.Raw.Descriptor(2, table, 48, RawRing.Indirect);
        // In an order of its own.
        queue.Raw.TableEntry(table, 0, rest.GuestAddress, 1, RawRing.Next, next: 2);
        queue.Raw.TableEntry(table, 2, rest.GuestAddress + 1, 2, RawRing.Next, next: 1);
        queue.Raw.TableEntry(table, 1, queue.Room(9).GuestAddress, 9, RawRing.Write);
        queue.Raw.Offer(5);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(5, queue.Chain.Ticket.Id);
        Assert.Equal([1, 2, 3, 4, 5], queue.Readable());
        Assert.Equal(9UL, queue.Chain.WritableBytes);
    }

    /// <summary>"The device MUST ignore the write-only flag in the descriptor that refers to an indirect table."</summary>
    [Fact]
    public void Spec_2_7_5_3_2_WriteFlagOfATablesDescriptorIsIgnored()
    {
        using var queue = new TwoSidedQueue(8, Indirect);
        ulong table = queue.Memory.Allocate(16);
        queue.Raw.TableEntry(table, 0, queue.Buffer(7).GuestAddress, 1);
        queue.Raw.Descriptor(0, table, 16, RawRing.Indirect | RawRing.Write);
        queue.Raw.Offer(0);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal([7], queue.Readable());
    }

    [Fact]
    public void ZeroLengthDescriptorsAddNothingWhereverTheyPoint()
    {
        using var queue = new TwoSidedQueue(8);
        var content = queue.Buffer(1, 2);
        var nowhere = new DriverBuffer(0xdead_0000_0000, 0);
        var room = queue.Room(3);
        queue.Driver.TryAdd([nowhere, content, nowhere], [nowhere, room, nowhere], 0);
        queue.Driver.TryAdd([], [nowhere], 1);
        queue.Driver.Publish();
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal([1, 2], queue.Readable());
        Assert.Equal(3UL, queue.Chain.WritableBytes);
        var writable = queue.Chain.Writable;
        Assert.Equal(3, writable.Write([7, 8, 9, 10]));
        Assert.Equal([7, 8, 9], queue.Memory.At(room.GuestAddress, 3).ToArray());

        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal((0UL, 0UL), (queue.Chain.ReadableBytes, queue.Chain.WritableBytes));
    }

    [Fact]
    public void Spec_2_7_6_HeadsNeedNotComeInOrder()
    {
        using var queue = new TwoSidedQueue(4);
        for (int i = 0; i < 4; i++)
            queue.Raw.Descriptor(i, queue.Buffer((byte)(10 + i)).GuestAddress, 1);
        queue.Raw.Offer(2, 0, 3, 1);
        foreach (int head in (int[])[2, 0, 3, 1])
        {
            Assert.Equal(PopResult.Chain, queue.Pop());
            Assert.Equal(head, queue.Chain.Ticket.Id);
            Assert.Equal([(byte)(10 + head)], queue.Readable());
        }
        Assert.Equal(PopResult.Empty, queue.Pop());
    }

    [Fact]
    public void Spec_2_7_8_UsedEntryHasIdAndWrittenLength()
    {
        using var queue = new TwoSidedQueue(4, start: 0xffff);
        queue.Device.AddUsed(new ChainTicket(3, 1), 77);
        queue.Device.AddUsed(new ChainTicket(1, 1), uint.MaxValue);
        Assert.Equal(0xffff, queue.Raw.UsedIndex);
        queue.Device.PublishUsed();
        Assert.Equal(1, queue.Raw.UsedIndex);
        Assert.Equal((3u, 77u), queue.Raw.Used(0xffff));
        Assert.Equal((1u, uint.MaxValue), queue.Raw.Used(0));
    }

    /// <summary>GET_VRING_BASE of the last back-end is the start of this one; and its used index stands in guest memory.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(6)]
    [InlineData(0xffff)]
    public void QueueGoesOnWhereTheLastBackEndStopped(int start)
    {
        using var queue = new TwoSidedQueue(8, start: (ushort)start);
        Assert.Equal(PopResult.Empty, queue.Pop());
        queue.Raw.Descriptor(4, queue.Buffer(1).GuestAddress, 1);
        queue.Raw.Offer(4);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal((ushort)(start + 1), queue.Device.State);
        queue.Device.AddUsed(queue.Chain.Ticket, 0);
        queue.Device.PublishUsed();
        Assert.Equal((ushort)(start + 1), queue.Raw.UsedIndex);
        Assert.Equal((4u, 0u), queue.Raw.Used(start));
    }
}
