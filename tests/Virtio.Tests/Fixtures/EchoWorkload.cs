using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>
/// Chains of random shape through a <see cref="TwoSidedQueue"/>: the device copies each chain's readable bytes into its writable ones, and the
/// driver looks at every byte that came back, and at those around.
/// </summary>
internal sealed class EchoWorkload
{
    private const int Area = 48, MaxSlots = 512;
    private const byte Canary = 0xee;

    private readonly TwoSidedQueue _queue;
    private readonly Random _random;
    private readonly int _maxPieces;
    private readonly Stack<int> _free = new();
    private readonly Slot[] _slots;

    internal EchoWorkload(TwoSidedQueue queue, int maxPieces, int seed)
    {
        (_queue, _maxPieces, _random) = (queue, maxPieces, new Random(seed));
        _slots = new Slot[Math.Min(queue.Driver.Size, MaxSlots)];
        for (int i = 0; i < _slots.Length; i++)
        {
            _slots[i] = new Slot(queue.Memory.Allocate(Area), queue.Memory.Allocate(Area));
            _free.Push(i);
        }
    }

    /// <summary>Chains that made the round trip.</summary>
    internal int Completed { get; private set; }

    /// <summary>Offers chains until the queue or the slots are full, or enough are.</summary>
    internal int Offer(int most)
    {
        int count = 0;
        for (; count < most && _free.TryPeek(out int slot) && TryOffer(slot); count++)
            _free.Pop();
        _queue.Driver.Publish();
        return count;
    }

    /// <summary>The device's part.</summary>
    internal int Serve(int most)
    {
        int count = 0;
        for (; count < most && _queue.Pop() is var result and not PopResult.Empty; count++)
        {
            Assert.Equal(PopResult.Chain, result);
            SegmentCursor readable = _queue.Chain.Readable, writable = _queue.Chain.Writable;
            ulong written = GuestCopy.Copy(ref readable, ref writable, ulong.MaxValue);
            _queue.Device.AddUsed(_queue.Chain.Ticket, (uint)written);
        }
        _queue.Device.PublishUsed();
        return count;
    }

    /// <summary>Takes back what is done, and checks it.</summary>
    internal void Collect()
    {
        while (_queue.Driver.TryGetUsed(out int token, out uint written))
        {
            ref var slot = ref _slots[token];
            int expected = Math.Min(slot.ReadableBytes, slot.WritableBytes);
            Assert.Equal((uint)expected, written);
            var source = _queue.Memory.At(slot.Readable, expected);
            var target = _queue.Memory.At(slot.Writable, Area);
            Assert.True(source.SequenceEqual(target[..expected]), "the bytes that came back are others");
            Assert.Equal(-1, target[expected..].IndexOfAnyExcept(Canary));
            _free.Push(token);
            Completed++;
        }
    }

    private bool TryOffer(int index)
    {
        ref var slot = ref _slots[index];
        int pieces = _random.Next(1, _maxPieces + 1);
        int readable = _random.Next(pieces + 1);
        var given = Cut(slot.Readable, readable, out slot.ReadableBytes);
        var wanted = Cut(slot.Writable, pieces - readable, out slot.WritableBytes);
        _random.NextBytes(_queue.Memory.At(slot.Readable, slot.ReadableBytes));
        _queue.Memory.At(slot.Writable, Area).Fill(Canary);
        return _queue.Driver.TryAdd(given, wanted, index);
    }

    /// <summary>Pieces that lie one behind the other: so that a flat look at the area sees them in order. Some are empty.</summary>
    private DriverBuffer[] Cut(ulong address, int pieces, out int bytes)
    {
        bytes = 0;
        var cut = new DriverBuffer[pieces];
        for (int i = 0; i < pieces; i++)
        {
            int length = _random.Next(Math.Min(9, Area - bytes + 1));
            cut[i] = new DriverBuffer(address + (uint)bytes, (uint)length);
            bytes += length;
        }
        return cut;
    }

    private struct Slot(ulong readable, ulong writable)
    {
        internal readonly ulong Readable = readable, Writable = writable;
        internal int ReadableBytes, WritableBytes;
    }
}
