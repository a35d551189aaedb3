using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>Drivers that break the rules: whom it hurts, and what goes on.</summary>
public sealed class SplitQueueFaultTests : IDisposable
{
    private const int Size = 4;
    private const uint Gigabyte = 1 << 30;
    private const ulong Far = 0x1_0000_0000;

    private readonly TwoSidedQueue _queue = new(Size, Features.RingIndirectDescriptors);
    private readonly DriverBuffer _good;
    private readonly ulong _table;

    public SplitQueueFaultTests()
    {
        _good = _queue.Buffer(1, 2, 3);
        _table = _queue.Memory.Allocate(16 * 8);
    }

    private RawRing Raw => _queue.Raw;

    public void Dispose() => _queue.Dispose();

    private void Good(int index, int flags = 0, int next = 0) => Raw.Descriptor(index, _good.GuestAddress, _good.Length, flags, next);

    private void Entry(int index, int flags = 0, int next = 0) => Raw.TableEntry(_table, index, _good.GuestAddress, _good.Length, flags, next);

    private void Table(uint bytes, int flags = 0, ulong? at = null) => Raw.Descriptor(0, at ?? _table, bytes, RawRing.Indirect | flags);

    /// <summary>Pops head 0, which is bad; and then a good chain, for a bad chain leaves the queue usable.</summary>
    private void AssertBadChain(QueueFault expected, TwoSidedQueue? queue = null)
    {
        queue ??= _queue;
        queue.Raw.Offer(0);
        Assert.Equal(expected, queue.PopBadChain());
        Assert.Equal(0, queue.Chain.Ticket.Id);
        Assert.Equal((0u, 0u), queue.Raw.Used(queue.Raw.UsedIndex - 1));
        queue.Raw.Descriptor(3, queue.Buffer(42).GuestAddress, 1);
        queue.Raw.Offer(3);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(3, queue.Chain.Ticket.Id);
        Assert.Equal([42], queue.Readable());
        Assert.Equal(PopResult.Empty, queue.Pop());
    }

    [Theory]
    [InlineData(Size)]
    [InlineData(0xffff)]
    public void Spec_2_7_5_NextOutOfRange(int next)
    {
        Good(0, RawRing.Next, next);
        AssertBadChain(QueueFault.NextOutOfRange);
    }

    [Fact]
    public void Spec_2_7_5_1_LoopIsAChainTooLong()
    {
        Good(0, RawRing.Next, 1);
        Good(1, RawRing.Next, 0);
        AssertBadChain(QueueFault.ChainTooLong);
        Good(0, RawRing.Next, 0);
        AssertBadChain(QueueFault.ChainTooLong);
    }

    [Fact]
    public void Spec_2_7_5_3_IndirectNotNegotiated()
    {
        using var plain = new TwoSidedQueue(Size);
        plain.Raw.Descriptor(0, plain.Memory.Allocate(16), 16, RawRing.Indirect);
        AssertBadChain(QueueFault.IndirectNotNegotiated, plain);
    }

    [Fact]
    public void Spec_2_7_5_3_1_NestedIndirectIsABadChain()
    {
        Entry(0, RawRing.Next, 1);
        Entry(1, RawRing.Indirect);
        Table(32);
        AssertBadChain(QueueFault.IndirectNested);
    }

    [Fact]
    public void Spec_2_7_5_3_1_IndirectWithNextIsABadChain()
    {
        Entry(0);
        Table(16, RawRing.Next);
        AssertBadChain(QueueFault.IndirectWithNext);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(17)]
    [InlineData(-1)]
    public void Spec_2_7_5_3_IndirectTableSize(int bytes)
    {
        Entry(0);
        Table((uint)bytes);
        AssertBadChain(QueueFault.IndirectSize);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)] // in the queue's table, not in the indirect one
    [InlineData(0xffff)]
    public void Spec_2_7_5_3_NextOutOfTheIndirectTable(int next)
    {
        Entry(0, RawRing.Next, next);
        Table(32);
        AssertBadChain(QueueFault.NextOutOfRange);
    }

    [Fact]
    public void Spec_2_7_5_3_LoopInAnIndirectTable()
    {
        Entry(0, RawRing.Next, 1);
        Entry(1, RawRing.Next, 0);
        Table(32);
        AssertBadChain(QueueFault.ChainTooLong);
    }

    [Fact]
    public void Spec_2_7_4_2_ReadableAfterWritable()
    {
        Good(0, RawRing.Write | RawRing.Next, 1);
        Good(1);
        AssertBadChain(QueueFault.ReadableAfterWritable);
        Entry(0, RawRing.Write | RawRing.Next, 1);
        Entry(1);
        Table(32);
        AssertBadChain(QueueFault.ReadableAfterWritable);
    }

    [Theory]
    [InlineData(0UL, 1u)]
    [InlineData(TwoSidedQueue.GuestBase - 1, 1u)]
    [InlineData(TwoSidedQueue.GuestBase - 1, 2u)]
    [InlineData(TwoSidedQueue.GuestBase + TwoSidedQueue.DefaultMemoryBytes, 1u)]
    [InlineData(TwoSidedQueue.GuestBase + TwoSidedQueue.DefaultMemoryBytes - 1, 2u)]
    [InlineData(TwoSidedQueue.GuestBase, uint.MaxValue)]
    [InlineData(ulong.MaxValue, 1u)]
    [InlineData(ulong.MaxValue, 2u)]
    [InlineData(ulong.MaxValue - 100, uint.MaxValue)]
    public void AddressNotMapped(ulong address, uint length)
    {
        Raw.Descriptor(0, address, length);
        AssertBadChain(QueueFault.AddressNotMapped);
        Raw.Descriptor(0, address, length, RawRing.Write);
        AssertBadChain(QueueFault.AddressNotMapped);
        Raw.TableEntry(_table, 0, address, length);
        Table(16);
        AssertBadChain(QueueFault.AddressNotMapped);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(TwoSidedQueue.GuestBase + TwoSidedQueue.DefaultMemoryBytes - 8)]
    [InlineData(ulong.MaxValue - 7)]
    [InlineData(ulong.MaxValue - 32)]
    public void IndirectTableNotMapped(ulong table)
    {
        Table(32, at: table);
        AssertBadChain(QueueFault.AddressNotMapped);
    }

    /// <summary>2.7.5.2 allows up to 2^32 bytes; we stop one short of that, as a used length is 32 bits.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void Spec_2_7_5_2_FourGigabytesAreTooMany(uint more, bool tooMany)
    {
        using var huge = new DriverMemory(Gigabyte, Far); // holes: no page of it is ever touched
        using var queue = new TwoSidedQueue(Size, more: huge);
        for (int i = 0; i < 3; i++)
            queue.Raw.Descriptor(i, Far, Gigabyte, RawRing.Next | (i == 2 ? RawRing.Write : 0), next: i + 1);
        queue.Raw.Descriptor(3, Far, Gigabyte - 1 + more, RawRing.Write);
        if (tooMany)
        {
            AssertBadChain(QueueFault.TooManyBytes, queue);
            return;
        }
        queue.Raw.Offer(0);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal((2UL * Gigabyte, 2UL * Gigabyte - 1), (queue.Chain.ReadableBytes, queue.Chain.WritableBytes));
    }

    [Fact]
    public void BadChainDoesNotLeakIntoTheNextOne()
    {
        Good(0, RawRing.Next, 1);
        Raw.Descriptor(1, 0, 1);
        Good(2, RawRing.Write);
        Raw.Offer(0, 2);
        Assert.Equal(QueueFault.AddressNotMapped, _queue.PopBadChain());
        Assert.Equal(PopResult.Chain, _queue.Pop());
        Assert.Equal((0UL, 3UL), (_queue.Chain.ReadableBytes, _queue.Chain.WritableBytes));
    }
}
