using System.Runtime.CompilerServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>The device's side of a split virtqueue (VIRTIO 1.2, 2.7).</summary>
public sealed unsafe class SplitQueue : DeviceQueue
{
    private const ushort NoInterrupt = 1, NoNotify = 1;

    /// <summary>Of a ring's flags and index, before its entries; and of an entry of the used ring.</summary>
    private const uint RingBytes = 4, UsedEntryBytes = 8;

    private readonly DescriptorTable _descriptors;

    // The available ring, the driver's: flags, idx, ring[size], used_event.
    private readonly ushort* _available;

    // The used ring, ours: flags, idx, ring[size] of {id, length}, avail_event.
    private readonly ushort* _used;
    private readonly int _mask;

    // In which batch each head was taken last: a head that comes twice in one was not given back in between.
    private readonly uint[] _takenIn;
    private uint _batch = 1;

    private ushort _nextAvailable;
    private ushort _knownAvailable;
    private ushort _nextUsed;
    private ushort _publishedUsed;
    private ushort _lastCallAt;
    private ushort _lastHead;
    private bool _calledBefore;

    internal SplitQueue(GuestMemory memory, byte* descriptors, byte* available, byte* used, int size, ulong features, ushort nextAvailable)
        : base(memory, size, features)
    {
        _descriptors = new DescriptorTable(Memory, (Descriptor*)descriptors, size, Indirect);
        _available = (ushort*)available;
        _used = (ushort*)used;
        _mask = size - 1;
        _takenIn = new uint[size];
        // The used index is our own, but a queue that was used before we came goes on where it stood. The driver could
        // have put anything there: that harms the driver alone.
        _nextUsed = _publishedUsed = Volatile.Read(ref _used[1]);
        _nextAvailable = _knownAvailable = nextAvailable;
    }

    /// <summary>The used ring's index, as the driver sees it.</summary>
    public ushort UsedIndex => _publishedUsed;

    /// <inheritdoc/>
    public override uint State => _nextAvailable;

    /// <inheritdoc/>
    public override QueuePosition Position => new(_nextAvailable, _nextUsed, Outstanding);

    /// <inheritdoc/>
    public override PopResult TryPop(Chain chain)
    {
        if (Broken)
            return PopResult.BadRing;
        if (_nextAvailable == _knownAvailable && !LookForMore(out bool jumped))
            return jumped ? Break(QueueFault.AvailableIndexJumped) : PopResult.Empty;
        ushort head = Volatile.Read(ref _available[2 + (_nextAvailable & _mask)]);
        if (head >= Size)
            return Break(QueueFault.HeadOutOfRange);
        if (Outstanding == Size)
            return Break(QueueFault.TooManyInFlight);
        if (_takenIn[head] == _batch)
            return Break(QueueFault.HeadInFlight);
        _takenIn[head] = _batch;
        _nextAvailable++;
        Outstanding++;
        chain.Ticket = new ChainTicket(head, 1);
        var fault = _descriptors.Load(chain, head);
        if (fault == QueueFault.None)
            return PopResult.Chain;
        Fault = fault;
        return PopResult.BadChain;
    }

    /// <summary>Begins behind chains that were taken before this queue was made, and are to be taken again.</summary>
    /// <param name="inFlight">How many: all that were taken are used, or among them.</param>
    public void SkipInFlight(int inFlight) => _nextAvailable = _knownAvailable = (ushort)(_nextUsed + inFlight);

    /// <summary>Takes a chain again that was taken before this queue was made: it is walked and checked as if for the first time.</summary>
    /// <param name="head">Its first descriptor.</param>
    /// <param name="chain">Loaded, if the result says so.</param>
    public PopResult Retake(ushort head, Chain chain)
    {
        if (head >= Size)
            return Break(QueueFault.HeadOutOfRange);
        if (Outstanding == Size)
            return Break(QueueFault.TooManyInFlight);
        Outstanding++;
        chain.Ticket = new ChainTicket(head, 1);
        if (_descriptors.Load(chain, head) == QueueFault.None)
            return PopResult.Chain;
        chain.Clear(); // what was walked until then is not the chain
        return PopResult.BadChain;
    }

    /// <inheritdoc/>
    public override void Rewind(QueuePosition position)
    {
        (_nextAvailable, _nextUsed, Outstanding) = ((ushort)position.Next, (ushort)position.Used, position.Outstanding);
        BeginBatch();
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public override void AddUsed(ChainTicket chain, uint written)
    {
        // A driver whose descriptors come in the same order again finds each where it was.
        CacheLines.Update(_used + 2 + 4 * (_nextUsed & _mask), chain.Id | (ulong)written << 32);
        Log?.WroteUsed(RingBytes + UsedEntryBytes * (uint)(_nextUsed & _mask), UsedEntryBytes);
        _nextUsed++;
    }

    private protected override bool Show(int chains)
    {
        Outstanding -= chains;
        _publishedUsed += (ushort)chains;
        Volatile.Write(ref _used[1], _publishedUsed);
        Log?.WroteUsed(0, RingBytes);
        BeginBatch();
        // The index must be visible before the driver's wish is read, or each could wait for the other (2.7.7.2).
        Interlocked.MemoryBarrier();
        return WantsCall();
    }

    /// <inheritdoc/>
    public override void DisableKicks()
    {
        // With event_idx nothing needs saying: the event index stays behind, and the driver kicks as it passes it, once.
        if (EventIndex)
            return;
        Volatile.Write(ref _used[0], NoNotify);
        Log?.WroteUsed(0, RingBytes);
    }

    /// <inheritdoc/>
    public override bool EnableKicks()
    {
        if (EventIndex)
            Volatile.Write(ref _used[2 + 4 * Size], _knownAvailable);
        else
            Volatile.Write(ref _used[0], 0);
        Log?.WroteUsed(EventIndex ? RingBytes + UsedEntryBytes * (uint)Size : 0, sizeof(ushort));
        // Our wish must be visible before the index is read: the driver writes and reads the other way round (2.7.10).
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _available[1]) != _knownAvailable;
    }

    /// <inheritdoc/>
    public override bool IsEmpty => Volatile.Read(ref _available[1]) == _nextAvailable;

    private protected override int Unpublished => (ushort)(_nextUsed - _publishedUsed);

    // With event_idx a driver always names a place.
    private protected override bool IsPolled => !EventIndex && (Volatile.Read(ref _available[0]) & NoInterrupt) != 0;

    /// <summary>
    /// How many chains are known to be there and may be taken, at most so many. The driver's index is read if none is known.
    /// </summary>
    internal int Ready(int most)
    {
        if (Broken || Outstanding == Size || (_nextAvailable == _knownAvailable && !LookForMore(out _)))
            return 0;
        return Math.Min(most, Math.Min((ushort)(_knownAvailable - _nextAvailable), Size - Outstanding));
    }

    /// <summary>
    /// Looks at a chain if it is the plainest there can be: one descriptor, of one region. False: it is not, or something is
    /// wrong; <see cref="TryPop"/> knows what.
    /// </summary>
    /// <param name="ahead">How many chains behind the next: fewer than are <see cref="Ready"/>.</param>
    /// <param name="flags">0: readable; <see cref="Descriptor.Write"/>: writable.</param>
    /// <param name="start">Its buffer.</param>
    /// <param name="length">Of the buffer.</param>
    /// <param name="chain">To take it with.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPeek(int ahead, ushort flags, out byte* start, out uint length, out ChainTicket chain)
    {
        start = null;
        length = 0;
        if (!TryPeekHead(ahead, out chain))
            return false;
        var descriptor = _descriptors.Read(chain.Id);
        if (descriptor.Flags != flags)
            return false;
        length = descriptor.Length;
        start = Map(descriptor.Address, length);
        return start != null;
    }

    /// <summary>
    /// Looks at the next chain if it is readable as a whole, each of its buffers in one region and not empty, and the pieces
    /// suffice. False: as <see cref="TryPeek"/>, or there is none.
    /// </summary>
    /// <param name="pieces">Set to its buffers.</param>
    /// <param name="count">How many they are.</param>
    /// <param name="length">Of all of them.</param>
    /// <param name="chain">To take it with.</param>
    internal bool TryPeekPieces(Span<Segment> pieces, out int count, out ulong length, out ChainTicket chain)
    {
        (count, length) = (0, 0);
        chain = default;
        return Ready(1) > 0 && TryPeekHead(0, out chain) && _descriptors.TryGather(chain.Id, pieces, out count, out length);
    }

    /// <summary>
    /// Takes the next chains, each of which is one buffer to write, of one region, until they hold so many bytes; or none, if that
    /// is not how it is, or something is wrong.
    /// </summary>
    /// <param name="bytes">At least 1.</param>
    /// <param name="least">Of these, the first must hold so many.</param>
    /// <param name="rooms">Set to the buffers.</param>
    /// <param name="chains">The chains, to give them back. As many as there are rooms.</param>
    /// <returns>How many.</returns>
    internal int TakeRooms(uint bytes, uint least, Span<Segment> rooms, Span<ChainTicket> chains)
    {
        int taken = TakeRooms<LastRegion>(bytes, least, rooms, chains);
        return taken > 0 ? taken : TakeRooms<AnyRegion>(bytes, least, rooms, chains);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int TakeRooms<TMapping>(uint bytes, uint least, Span<Segment> rooms, Span<ChainTicket> chains) where TMapping : struct, IMapping
    {
        int most = Broken ? 0 : Math.Min(rooms.Length, Size - Outstanding);
        var takenIn = _takenIn;
        int taken = 0;
        for (; taken < most && (taken < (ushort)(_knownAvailable - _nextAvailable) || LooksFurther(taken)); taken++)
        {
            ushort head = Volatile.Read(ref _available[2 + ((_nextAvailable + taken) & _mask)]);
            if (head >= takenIn.Length || takenIn[head] == _batch)
                break;
            var descriptor = _descriptors.Read(head);
            byte* start = TMapping.Map(ref Buffers, descriptor.Address, descriptor.Length);
            if (descriptor.Flags != Descriptor.Write || start == null || descriptor.Length < least)
                break;
            takenIn[head] = _batch;
            rooms[taken].Set(start, descriptor.Length);
            chains[taken] = new ChainTicket(head, 1);
            if (bytes <= descriptor.Length)
            {
                Take(++taken);
                return taken;
            }
            bytes -= descriptor.Length;
            least = 1;
        }
        foreach (var chain in chains[..taken])
            takenIn[chain.Id] = _batch - 1;
        return 0;
    }

    /// <summary>Reads the available index, when all but so many of the chains that it showed before are taken, or will be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool LooksFurther(int ahead)
    {
        ushort index = Volatile.Read(ref _available[1]);
        int more = (ushort)(index - _nextAvailable);
        if (more <= ahead || more > Size)
            return false;
        _knownAvailable = index;
        return true;
    }

    internal override void ClaimNext(uint bytes)
    {
        if (_nextAvailable == _knownAvailable)
            return;
        ushort head = Volatile.Read(ref _available[2 + (_nextAvailable & _mask)]);
        if (head < Size)
            CacheLines.Claim(Map(_descriptors.Read(head).Address, 0), bytes);
    }

    /// <summary>Notes that a chain that was looked at will be taken: it may not come twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Mark(ChainTicket chain) => _takenIn[chain.Id] = _batch;

    /// <summary>Takes so many chains, each of which was marked.</summary>
    internal void Take(int chains)
    {
        _nextAvailable += (ushort)chains;
        Outstanding += chains;
    }

    /// <summary>Undoes taking one of the last chains, of which none was given back: once for each of them, the order does not matter.</summary>
    internal void Untake(ChainTicket chain)
    {
        _takenIn[chain.Id] = _batch - 1;
        _nextAvailable--;
        Outstanding--;
    }

    /// <summary>Up to where chains are known to be available: the index is read again when they are taken.</summary>
    internal ushort KnownAvailable => _knownAvailable;

    /// <summary>Forgets that the available index was read since then, unless what was known then is taken.</summary>
    /// <param name="known">As <see cref="KnownAvailable"/> was.</param>
    internal void Unlook(ushort known)
    {
        if ((short)(known - _nextAvailable) >= 0)
            _knownAvailable = known;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryPeekHead(int ahead, out ChainTicket chain)
    {
        chain = default;
        ushort head = Volatile.Read(ref _available[2 + ((_nextAvailable + ahead) & _mask)]);
        var takenIn = _takenIn; // of the queue's size
        if (head >= takenIn.Length || takenIn[head] == _batch)
            return false;
        chain = new ChainTicket(head, 1);
        _lastHead = head;
        return true;
    }

    private void BeginBatch()
    {
        if (++_batch != 0)
            return;
        Array.Clear(_takenIn);
        _batch = 1;
    }

    /// <summary>Reads the available index, when all that it showed before is taken.</summary>
    private bool LookForMore(out bool jumped)
    {
        ushort index = Volatile.Read(ref _available[1]);
        int more = (ushort)(index - _nextAvailable);
        jumped = more > Size;
        if (jumped)
            return false;
        _knownAvailable = index;
        if (more == 0)
            return false;
        // Most drivers use descriptors in turn: the next one is fetched while the ring is asked which it is.
        _descriptors.Fetch((_lastHead + 1) & _mask);
        return true;
    }

    private bool WantsCall()
    {
        if (!EventIndex)
            return (Volatile.Read(ref _available[0]) & NoInterrupt) == 0;
        ushort wanted = Volatile.Read(ref _available[2 + Size]);
        ushort last = _lastCallAt;
        bool first = !_calledBefore;
        _lastCallAt = _publishedUsed;
        _calledBefore = true;
        return first || NeedsEvent(wanted, _publishedUsed, last);
    }
}
