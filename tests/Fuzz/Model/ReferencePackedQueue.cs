using System.Buffers.Binary;
using InterGuest.Fuzz.Guests;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Model;

/// <summary>A place in a packed ring, counted from 0 without end: the index is its rest, the wrap counter its laps.</summary>
internal readonly record struct PackedMark(long Next, int Outstanding);

/// <summary>
/// The device's side of a packed virtqueue, written down from VIRTIO 1.2, 2.8, over what the memory should hold. Places are
/// counted from 0 without end, so that there is nothing to wrap.
/// </summary>
internal sealed class ReferencePackedQueue(Arena arena, QueuePlace ring, bool indirect, bool eventIndex, uint state) : IReferenceQueue
{
    private const int Available = 1 << 7, Used = 1 << 15, Off = 1, AtDescriptor = 2;

    private readonly List<(ChainTicket Chain, uint Written)> _pending = [];
    private long _next = Place((ushort)state, ring.Size);
    private long _used = Place((ushort)(state >> 16 == 0 ? state : state >> 16), ring.Size);
    private long _seen;
    private int _outstanding;
    private bool _published;
    private bool _off;

    public QueueFault RingFault { get; private set; }

    public PackedMark Mark => new(_next, _outstanding);

    /// <summary>What GET_VRING_BASE tells.</summary>
    public uint State => Word(_next) | Word(_used) << 16;

    public PopResult Pop(out ChainTicket ticket, out ReferenceChain? chain)
    {
        (ticket, chain) = (default, null);
        if (RingFault != QueueFault.None)
            return PopResult.BadRing;
        if (!IsAvailable(_next))
            return PopResult.Empty;
        chain = ReferenceChain.WalkPacked(arena, ring, indirect, (int)(_next % ring.Size), ring.Size - _outstanding, out ticket);
        if (chain == null)
        {
            RingFault = _outstanding == ring.Size ? QueueFault.TooManyInFlight : QueueFault.ChainTooLong;
            return PopResult.BadRing;
        }
        _next += ticket.Slots;
        _outstanding += ticket.Slots;
        _seen = Math.Max(_seen, _next);
        return chain.IsGood ? PopResult.Chain : PopResult.BadChain;
    }

    public void Use(ChainTicket chain, uint written) => _pending.Add((chain, written));

    public void Rewind(PackedMark mark) => (_next, _outstanding) = (mark.Next, mark.Outstanding);

    /// <summary>2.8.6, 2.8.10: used descriptors, and whether the driver is to be called; null where both are right.</summary>
    /// <param name="late">So many are not shown to a driver that wants no calls at all.</param>
    public bool? Publish(int late)
    {
        bool off = (BinaryPrimitives.ReadUInt16LittleEndian(arena.Expected.AsSpan(ring.Available + 2)) & 3) == Off;
        int shown = Math.Max(0, _pending.Count - (off ? late : 0));
        if (shown == 0)
            return false;
        long from = _used;
        foreach (var (chain, written) in _pending[..shown])
        {
            var entry = arena.Expected.AsSpan(ring.Descriptors + 16 * (int)(_used % ring.Size));
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], written);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[12..], chain.Id);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[14..], (ushort)((Lap(_used) ? Available | Used : 0) | (written > 0 ? GuestPlan.Write : 0)));
            _used += chain.Slots;
            _outstanding -= chain.Slots;
        }
        _pending.RemoveRange(0, shown);
        return WantsCall(from);
    }

    public void DisableKicks()
    {
        if (!_off)
            SetEvent((uint)Off << 16);
        _off = true;
    }

    public bool EnableKicks()
    {
        long unseen = Math.Max(_seen, _next);
        _off = false;
        SetEvent(eventIndex ? Word(unseen) | (uint)AtDescriptor << 16 : 0);
        return IsAvailable(unseen);
    }

    private bool? WantsCall(long from)
    {
        ushort asked = BinaryPrimitives.ReadUInt16LittleEndian(arena.Expected.AsSpan(ring.Available));
        int flags = BinaryPrimitives.ReadUInt16LittleEndian(arena.Expected.AsSpan(ring.Available + 2)) & 3;
        bool first = !_published;
        _published = true;
        if (flags != AtDescriptor || !eventIndex || first)
            return flags != Off;
        // A place that the ring has not is nobody's wish.
        if ((asked & 0x7fff) >= ring.Size)
            return null;
        for (long place = from; place < _used; place++)
            if (Word(place) == asked)
                return true;
        return false;
    }

    private bool IsAvailable(long place)
    {
        int flags = BinaryPrimitives.ReadUInt16LittleEndian(arena.Expected.AsSpan(ring.Descriptors + 16 * (int)(place % ring.Size) + 14));
        return (flags & (Available | Used)) == (Lap(place) ? Available : Used);
    }

    private void SetEvent(uint word) => BinaryPrimitives.WriteUInt32LittleEndian(arena.Expected.AsSpan(ring.Used), word);

    /// <summary>Even laps have the wrap counter 1, with which rings begin.</summary>
    private bool Lap(long place) => place / ring.Size % 2 == 0;

    private uint Word(long place) => (uint)(place % ring.Size) | (Lap(place) ? 1u << 15 : 0);

    private static long Place(ushort word, int size)
    {
        int index = word & 0x7fff;
        return (index < size ? index : 0) + ((word & 0x8000) != 0 ? 0 : size);
    }
}
