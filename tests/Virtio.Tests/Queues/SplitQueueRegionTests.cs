using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>Buffers and tables over two regions that adjoin in the guest and lie apart in the host.</summary>
public sealed class SplitQueueRegionTests : IDisposable
{
    private const ulong Border = TwoSidedQueue.GuestBase + TwoSidedQueue.DefaultMemoryBytes;

    private readonly DriverMemory _beyond = new(1 << 16, Border);
    private readonly TwoSidedQueue _queue;

    public SplitQueueRegionTests()
    {
        _queue = new TwoSidedQueue(8, Features.RingIndirectDescriptors, more: _beyond);
        unsafe
        {
            Assert.False(
                new AddressTranslator(_queue.Guest).Translate(Border - 1, out _) + 1 == new AddressTranslator(_queue.Guest).Translate(Border, out _),
                "the two mappings happen to adjoin: this test shows nothing");
        }
    }

    public void Dispose()
    {
        _queue.Dispose();
        _beyond.Dispose();
    }

    private Span<byte> At(ulong address) => (address < Border ? _queue.Memory : _beyond).At(address, 1);

    private void Poke(ulong address, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            At(address + (uint)i)[0] = bytes[i];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(19)]
    public void ReadableBufferAcrossTheBorderIsReadInOrder(int before)
    {
        byte[] content = [.. Enumerable.Range(1, 20).Select(i => (byte)i)];
        Poke(Border - (uint)before, content);
        _queue.Raw.Descriptor(0, Border - (uint)before, 20);
        _queue.Raw.Offer(0);
        Assert.Equal(PopResult.Chain, _queue.Pop());
        Assert.Equal(content, _queue.Readable());
    }

    [Fact]
    public void WritableBufferAcrossTheBorderChangesThoseBytesOnly()
    {
        _queue.Raw.Descriptor(0, Border - 3, 7, RawRing.Write);
        _queue.Raw.Offer(0);
        Assert.Equal(PopResult.Chain, _queue.Pop());
        Assert.Equal(7UL, _queue.Chain.WritableBytes);
        _queue.Chain.Writable.Write([1, 2, 3, 4, 5, 6, 7, 8]);
        for (int i = -1; i <= 7; i++)
            Assert.Equal(i is < 0 or >= 7 ? 0 : i + 1, At(Border - 3 + (ulong)i)[0]);
    }

    [Fact]
    public void BufferThatRunsOutOfTheLastRegionIsNotMapped()
    {
        _queue.Raw.Descriptor(0, Border - 1, (1 << 16) + 2, RawRing.Write);
        _queue.Raw.Offer(0);
        Assert.Equal(QueueFault.AddressNotMapped, _queue.PopBadChain());
    }

    /// <summary>The bug that libvhost-user had: an entry across the border must not be read beyond its first region.</summary>
    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(31)]
    public void Spec_2_7_5_3_IndirectTableAcrossTheBorder(int before)
    {
        ulong table = Border - (uint)before;
        Poke(table, RawRing.Bytes(_queue.Buffer(1, 2).GuestAddress, 2, RawRing.Next, next: 1));
        Poke(table + 16, RawRing.Bytes(_queue.Room(5).GuestAddress, 5, RawRing.Write));
        _queue.Raw.Descriptor(0, table, 32, RawRing.Indirect);
        _queue.Raw.Offer(0);
        Assert.Equal(PopResult.Chain, _queue.Pop());
        Assert.Equal([1, 2], _queue.Readable());
        Assert.Equal(5UL, _queue.Chain.WritableBytes);
    }

    [Fact]
    public void IndirectTableThatRunsOutOfMemoryIsNotMapped()
    {
        ulong table = Border + (1 << 16) - 24;
        Poke(table, RawRing.Bytes(_queue.Buffer(1).GuestAddress, 1, RawRing.Next, next: 1));
        _queue.Raw.Descriptor(0, table, 32, RawRing.Indirect);
        _queue.Raw.Offer(0);
        Assert.Equal(QueueFault.AddressNotMapped, _queue.PopBadChain());
    }

    [Fact]
    public void ReadablePartEndsWhereTheWritableBeginsEvenInPieces()
    {
        Poke(Border - 2, [1, 2, 3, 4]);
        _queue.Raw.Descriptor(0, Border - 2, 4, RawRing.Next, next: 1);
        _queue.Raw.Descriptor(1, Border - 12, 8, RawRing.Write);
        _queue.Raw.Offer(0);
        Assert.Equal(PopResult.Chain, _queue.Pop());
        Assert.Equal([1, 2, 3, 4], _queue.Readable());
        Assert.Equal(8, _queue.Chain.Writable.Write([11, 12, 13, 14, 15, 16, 17, 18, 19]));
        byte[] expected = [0, 11, 12, 13, 14, 15, 16, 17, 18, 0, 0, 1, 2, 3, 4, 0];
        Assert.Equal(expected, Enumerable.Range(0, 16).Select(i => At(Border - 13 + (ulong)i)[0]));
    }

    /// <summary>No border crossed twice by honest buffers would need so many pieces.</summary>
    [Fact]
    public void MorePiecesThanWeFollow()
    {
        const int size = DeviceQueue.MaxSize;
        using var queue = new TwoSidedQueue(size, more: _beyond);
        for (int i = 0; i < size; i++)
            queue.Raw.Descriptor(i, Border - 1, 2, i < size - 1 ? RawRing.Next : 0, next: i + 1);
        queue.Raw.Offer(0);
        Assert.Equal(QueueFault.TooManySegments, queue.PopBadChain());
    }
}
