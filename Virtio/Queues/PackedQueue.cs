using System.Runtime.CompilerServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// The device's side of a packed virtqueue (VIRTIO 1.2, 2.8): one ring of descriptors, in which both sides write. What is
/// used is kept aside until it is published, as it goes where descriptors of chains that may be taken back still lie.
/// </summary>
public sealed unsafe class PackedQueue : DeviceQueue
{
    private const ushort ReservedFlags = unchecked((ushort)~(
        Descriptor.Next | Descriptor.Write | Descriptor.Indirect | PackedDescriptor.Available | PackedDescriptor.Used));

    private readonly PackedDescriptor* _ring;
    private readonly uint* _driverEvent;
    private readonly uint* _deviceEvent;
    private readonly (ChainTicket Chain, uint Written)[] _pending;
    private int _pendingCount;
    private AddressTranslator _chains;

    private RingCursor _next;
    private RingCursor _used;

    // Entries from _next on that were seen to be available, and taken back.
    private int _ahead;
    private ushort _lastCallAt;
    private bool _calledBefore;
    private bool _kicksOff;

    internal PackedQueue(GuestMemory memory, byte* ring, byte* driverEvent, byte* deviceEvent, int size, ulong features, uint state)
        : base(memory, size, features)
    {
        _ring = (PackedDescriptor*)ring;
        _driverEvent = (uint*)driverEvent;
        _deviceEvent = (uint*)deviceEvent;
        _chains = new AddressTranslator(Memory);
        _pending = new (ChainTicket, uint)[size];
        _next = RingCursor.From((ushort)state, size);
        // DPDK tells the available half alone: nothing is in flight then.
        _used = state >> 16 == 0 ? _next : RingCursor.From((ushort)(state >> 16), size);
    }

    /// <inheritdoc/>
    public override uint State => _next.Word | (uint)_used.Word << 16;

    /// <inheritdoc/>
    public override QueuePosition Position => new(_next.Word, (uint)_pendingCount, Outstanding);

    /// <inheritdoc/>
    public override PopResult TryPop(Chain chain)
    {
        if (Broken)
            return PopResult.BadRing;
        var descriptor = Read(_next);
        if (!_next.IsAvailable(descriptor.Flags))
            return PopResult.Empty;
        chain.Clear();
        var fault = QueueFault.None;
        int slots = 1;
        var at = _next;
        // A bad chain is walked to its end all the same, which alone tells its id and how many entries it takes.
        for (; Outstanding + slots <= Size; slots++)
        {
            at.Advance(1, Size);
            if (fault == QueueFault.None)
                fault = Append(chain, descriptor);
            if ((descriptor.Flags & Descriptor.Next) == 0)
                return Taken(chain, new ChainTicket(descriptor.Id, (ushort)slots), fault);
            descriptor = Read(at);
        }
        return Break(Outstanding == Size ? QueueFault.TooManyInFlight : QueueFault.ChainTooLong);
    }

    /// <inheritdoc/>
    public override void Rewind(QueuePosition position)
    {
        _ahead += Outstanding - position.Outstanding;
        _next = RingCursor.From((ushort)position.Next, Size);
        (_pendingCount, Outstanding) = ((int)position.Used, position.Outstanding);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public override void AddUsed(ChainTicket chain, uint written) => _pending[_pendingCount++] = (chain, written);

    private protected override bool Show(int chains)
    {
        var used = _pending.AsSpan(0, chains);
        int slots = used[0].Chain.Slots;
        // A local: through the field, each step would wait for the last one's store.
        var at = _used;
        at.Advance(slots, Size);
        foreach (ref readonly var one in used[1..])
        {
            Write(at, one);
            at.Advance(one.Chain.Slots, Size);
            slots += one.Chain.Slots;
        }
        // The first shows the driver those behind it (2.8.6).
        Write(_used, used[0]);
        if (Log != null)
            NoteWritten(used);
        _used = at;
        _pendingCount -= chains;
        if (_pendingCount > 0)
            _pending.AsSpan(chains, _pendingCount).CopyTo(_pending);
        Outstanding -= slots;
        // What is used must be visible before the driver's wish is read, or each could wait for the other (2.8.10).
        Interlocked.MemoryBarrier();
        return WantsCall();
    }

    /// <inheritdoc/>
    public override void DisableKicks()
    {
        if (_kicksOff)
            return;
        Volatile.Write(ref *_deviceEvent, EventSuppression.Off);
        Log?.WroteRing((byte*)_deviceEvent, sizeof(uint));
        _kicksOff = true;
    }

    /// <inheritdoc/>
    public override bool EnableKicks()
    {
        _kicksOff = false;
        var unseen = _next;
        unseen.Advance(_ahead, Size);
        Volatile.Write(ref *_deviceEvent, EventSuppression.At(unseen, EventIndex));
        Log?.WroteRing((byte*)_deviceEvent, sizeof(uint));
        // Our wish must be visible before the descriptor is read: the driver writes and reads the other way round.
        Interlocked.MemoryBarrier();
        return unseen.IsAvailable(Read(unseen).Flags);
    }

    private protected override int Unpublished => _pendingCount;

    private protected override bool IsPolled => EventSuppression.IsOff(Volatile.Read(ref *_driverEvent));

    /// <summary>How many entries may be taken, at most so many. What is there, only each descriptor tells.</summary>
    internal int Ready(int most) => Broken ? 0 : Math.Min(most, Size - Outstanding);

    /// <summary>As <see cref="SplitQueue.TryPeek"/>; false, too: nothing is there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPeek(int ahead, ushort flags, out byte* start, out uint length, out ChainTicket chain)
    {
        start = null;
        length = 0;
        chain = default;
        var at = _next;
        at.Advance(ahead, Size);
        var descriptor = Read(at);
        if ((descriptor.Flags & ~ReservedFlags) != (at.AvailableFlags | flags))
            return false;
        length = descriptor.Length;
        chain = new ChainTicket(descriptor.Id, 1);
        start = Map(descriptor.Address, length);
        return start != null;
    }

    /// <summary>As <see cref="SplitQueue.TryPeekPieces"/>.</summary>
    internal bool TryPeekPieces(Span<Segment> pieces, out int count, out ulong length, out ChainTicket chain)
    {
        (count, length, chain) = (0, 0, default);
        return !Broken
            && (TryGather<LastRegion>(pieces, out count, out length, out chain) || TryGather<AnyRegion>(pieces, out count, out length, out chain));
    }

    /// <summary>As <see cref="SplitQueue.TakeRooms(uint, uint, Span{Segment}, Span{ChainTicket})"/>.</summary>
    internal int TakeRooms(uint bytes, uint least, Span<Segment> rooms, Span<ChainTicket> chains)
    {
        int taken = TakeRooms<LastRegion>(bytes, least, rooms, chains);
        return taken > 0 ? taken : TakeRooms<AnyRegion>(bytes, least, rooms, chains);
    }

    /// <inheritdoc/>
    public override bool IsEmpty => !_next.IsAvailable(Read(_next).Flags);

    internal override void ClaimNext(uint bytes)
    {
        var descriptor = Read(_next);
        if (_next.IsAvailable(descriptor.Flags))
            CacheLines.Claim(Map(descriptor.Address, 0), bytes);
    }

    /// <summary>Takes so many entries.</summary>
    internal void Take(int entries)
    {
        _next.Advance(entries, Size);
        _ahead = Math.Max(0, _ahead - entries);
        Outstanding += entries;
    }

    /// <summary>As <see cref="SplitQueue.Untake"/>.</summary>
    internal void Untake(ChainTicket chain)
    {
        _next.Retreat(chain.Slots, Size);
        _ahead += chain.Slots;
        Outstanding -= chain.Slots;
    }

    /// <summary>Reads the next chain anew: nothing is left of an attempt that failed.</summary>
    private bool TryGather<TMapping>(Span<Segment> pieces, out int count, out ulong length, out ChainTicket chain) where TMapping : struct, IMapping
    {
        (count, length) = (0, 0);
        var descriptor = Read(_next);
        chain = new ChainTicket(descriptor.Id, 1);
        if (!_next.IsAvailable(descriptor.Flags))
            return false;
        const ushort Availability = PackedDescriptor.Available | PackedDescriptor.Used;
        if ((descriptor.Flags & ~ReservedFlags & ~Availability) != Descriptor.Indirect)
            return TryGatherChain<TMapping>(descriptor, pieces, out count, out length, out chain);
        if (Outstanding == Size
            || IndirectTable.Open(Indirect, Size, descriptor.Address, descriptor.Length, descriptor.Flags, out var table) != QueueFault.None)
            return false;
        byte* entries = table.Together(ref _chains);
        if (entries == null || table.Entries > pieces.Length)
            return false;
        count = (int)table.Entries;
        return TryGatherTable<TMapping>(entries, pieces[..count], out length);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryGatherTable<TMapping>(byte* entries, Span<Segment> pieces, out ulong length) where TMapping : struct, IMapping
    {
        length = 0;
        int unwanted = Descriptor.Indirect | (OnlyReads ? 0 : Descriptor.Write);
        // A local: what is behind a reference goes through memory each time.
        ulong bytes = 0;
        foreach (ref var piece in pieces)
        {
            IndirectTable.Snapshot(entries, out ulong low, out ulong high);
            if (!TryGather<TMapping>(PackedDescriptor.From(low, high), unwanted, ref piece, ref bytes))
                return false;
            entries += Descriptor.Bytes;
        }
        length = bytes;
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryGatherChain<TMapping>(PackedDescriptor descriptor, Span<Segment> pieces, out int count, out ulong length, out ChainTicket chain)
        where TMapping : struct, IMapping
    {
        (count, length, chain) = (0, 0, default);
        int most = Math.Min(pieces.Length, Size - Outstanding);
        var at = _next;
        ulong bytes = 0;
        for (int found = 0; found < most;)
        {
            if (!TryGather<TMapping>(descriptor, Descriptor.Indirect | Descriptor.Write, ref pieces[found++], ref bytes))
                return false;
            if ((descriptor.Flags & Descriptor.Next) == 0)
            {
                (count, length, chain) = (found, bytes, new ChainTicket(descriptor.Id, (ushort)found));
                return true;
            }
            at.Advance(1, Size);
            descriptor = Read(at);
        }
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryGather<TMapping>(in PackedDescriptor descriptor, int unwanted, ref Segment piece, ref ulong bytes) where TMapping : struct, IMapping
    {
        byte* start = TMapping.Map(ref Buffers, descriptor.Address, descriptor.Length);
        if ((descriptor.Flags & unwanted) != 0 || start == null || descriptor.Length == 0)
            return false;
        piece.Set(start, descriptor.Length);
        bytes += descriptor.Length;
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int TakeRooms<TMapping>(uint bytes, uint least, Span<Segment> rooms, Span<ChainTicket> chains) where TMapping : struct, IMapping
    {
        int most = Broken ? 0 : Math.Min(rooms.Length, Size - Outstanding);
        var at = _next;
        for (int taken = 0; taken < most;)
        {
            var descriptor = Read(at);
            byte* start = TMapping.Map(ref Buffers, descriptor.Address, descriptor.Length);
            if ((descriptor.Flags & ~ReservedFlags) != (at.AvailableFlags | Descriptor.Write) || start == null || descriptor.Length < least)
                break;
            rooms[taken].Set(start, descriptor.Length);
            chains[taken++] = new ChainTicket(descriptor.Id, 1);
            if (bytes <= descriptor.Length)
            {
                Take(taken);
                return taken;
            }
            bytes -= descriptor.Length;
            least = 1;
            at.Advance(1, Size);
        }
        return 0;
    }

    private PopResult Taken(Chain chain, ChainTicket ticket, QueueFault fault)
    {
        chain.Ticket = ticket;
        Take(ticket.Slots);
        if (fault == QueueFault.None)
            return PopResult.Chain;
        Fault = fault;
        return PopResult.BadChain;
    }

    private QueueFault Append(Chain chain, in PackedDescriptor descriptor) =>
        (descriptor.Flags & Descriptor.Indirect) != 0
            ? AppendIndirect(chain, descriptor)
            : chain.Append(ref _chains, descriptor.Address, descriptor.Length, (descriptor.Flags & Descriptor.Write) != 0);

    /// <summary>An indirect table of a packed ring is used whole, in order; of the entries' flags only WRITE counts (2.8.8), if at all.</summary>
    private QueueFault AppendIndirect(Chain chain, in PackedDescriptor descriptor)
    {
        // A table is a chain of its own: there is nothing in front of it.
        if (chain.Descriptors > 0)
            return QueueFault.IndirectWithNext;
        var fault = IndirectTable.Open(Indirect, Size, descriptor.Address, descriptor.Length, descriptor.Flags, out var entries);
        for (uint i = 0; fault == QueueFault.None && i < entries.Entries; i++)
        {
            if (!entries.TryRead(i, ref _chains, out ulong low, out ulong high))
                return QueueFault.AddressNotMapped;
            var entry = PackedDescriptor.From(low, high);
            fault = (entry.Flags & Descriptor.Indirect) != 0
                ? QueueFault.IndirectNested
                : chain.Append(ref _chains, entry.Address, entry.Length, !OnlyReads && (entry.Flags & Descriptor.Write) != 0);
        }
        return fault;
    }

    /// <summary>Reads a descriptor, each half once, the half with the flags first.</summary>
    private PackedDescriptor Read(RingCursor at)
    {
        ulong* halves = (ulong*)(_ring + at.Index);
        ulong high = Volatile.Read(ref halves[1]);
        return PackedDescriptor.From(halves[0], high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Write(RingCursor at, in (ChainTicket Chain, uint Written) used)
    {
        ushort flags = (ushort)(at.UsedFlags | (used.Written > 0 ? Descriptor.Write : 0));
        Volatile.Write(ref ((ulong*)(_ring + at.Index))[1], PackedDescriptor.High(used.Written, used.Chain.Id, flags));
    }

    private void NoteWritten(ReadOnlySpan<(ChainTicket Chain, uint Written)> used)
    {
        var at = _used;
        foreach (ref readonly var one in used)
        {
            Log!.WroteRing((byte*)(_ring + at.Index), Descriptor.Bytes);
            at.Advance(one.Chain.Slots, Size);
        }
    }

    private bool WantsCall()
    {
        uint wish = Volatile.Read(ref *_driverEvent);
        ushort before = _lastCallAt;
        bool eventIndex = EventIndex && _calledBefore;
        (_lastCallAt, _calledBefore) = (_used.Index, true);
        return EventSuppression.Wants(wish, eventIndex, _used, before, Size);
    }
}
