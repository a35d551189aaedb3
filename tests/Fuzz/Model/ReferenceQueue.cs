using System.Buffers.Binary;
using InterGuest.Fuzz.Guests;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Model;

/// <summary>A place in a queue's life, to go back to.</summary>
internal readonly record struct ReferenceMark(ushort Available, int Outstanding);

/// <summary>
/// The device's side of a split virtqueue, written down from VIRTIO 1.2, 2.7, over what the memory should hold. One thing is
/// not the specification's but ours, and a driver can see it: the available index is read again only when all that it showed
/// before is taken.
/// </summary>
internal sealed class ReferenceQueue(Arena arena, QueuePlace place, bool indirect, bool eventIndex, ushort start) : IReferenceQueue
{
    private ushort _nextAvailable = start;
    private ushort _knownAvailable = start;
    private ushort _nextUsed = Get(arena, place.Used + 2);
    private ushort _publishedUsed = Get(arena, place.Used + 2);
    private ushort _lastCallAt;
    private bool _calledBefore;
    private int _outstanding;

    // Taken since the last publication: ours to see twice, as nothing was given back in between.
    private readonly HashSet<ushort> _taken = [];

    public ushort NextUsed => _nextUsed;

    public QueuePlace Place => place;

    public ushort NextAvailable => _nextAvailable;

    /// <summary>The ring is broken; by what.</summary>
    public QueueFault RingFault { get; private set; }

    public ReferenceMark Mark => new(_nextAvailable, _outstanding);

    /// <summary>The next head, or why there is none.</summary>
    public PopResult Pop(out ushort head, out ReferenceChain? chain)
    {
        (head, chain) = (0, null);
        if (RingFault != QueueFault.None)
            return PopResult.BadRing;
        if (_nextAvailable == _knownAvailable)
        {
            ushort index = Get(arena, place.Available + 2);
            // 2.7.6: never more available than there are entries.
            if ((ushort)(index - _nextAvailable) > place.Size)
                return Break(QueueFault.AvailableIndexJumped);
            _knownAvailable = index;
            if (index == _nextAvailable)
                return PopResult.Empty;
        }
        head = Get(arena, place.Available + 4 + 2 * (_nextAvailable % place.Size));
        if (head >= place.Size)
            return Break(QueueFault.HeadOutOfRange);
        // 2.7.13: a chain is not made available again before it is used, so there are never more than entries.
        if (_outstanding == place.Size)
            return Break(QueueFault.TooManyInFlight);
        if (!_taken.Add(head))
            return Break(QueueFault.HeadInFlight);
        _nextAvailable++;
        _outstanding++;
        chain = ReferenceChain.Walk(arena, place, indirect, head);
        return chain.IsGood ? PopResult.Chain : PopResult.BadChain;
    }

    /// <summary>2.7.8: an entry of the used ring.</summary>
    public void Use(ushort head, uint written)
    {
        int entry = place.Used + 4 + 8 * (_nextUsed % place.Size);
        BinaryPrimitives.WriteUInt32LittleEndian(arena.Expected.AsSpan(entry), head);
        BinaryPrimitives.WriteUInt32LittleEndian(arena.Expected.AsSpan(entry + 4), written);
        _nextUsed++;
    }

    public void Rewind(ReferenceMark mark)
    {
        (_nextAvailable, _outstanding) = (mark.Available, mark.Outstanding);
        _taken.Clear();
    }

    /// <summary>2.7.7.2, 2.7.10: whether the driver is to be called.</summary>
    /// <param name="late">So many are not shown to a driver that wants no calls at all.</param>
    public bool Publish(int late = 0)
    {
        int shown = (ushort)(_nextUsed - _publishedUsed);
        if (!eventIndex && (Get(arena, place.Available) & 1) == 1 && late > 0)
            shown = Math.Max(0, shown - late);
        if (shown == 0)
            return false;
        _publishedUsed += (ushort)shown;
        Set(place.Used + 2, _publishedUsed);
        _outstanding -= shown;
        _taken.Clear();
        if (!eventIndex)
            return (Get(arena, place.Available) & 1) == 0;
        ushort asked = Get(arena, place.Available + 4 + 2 * place.Size), before = _lastCallAt;
        bool first = !_calledBefore;
        (_lastCallAt, _calledBefore) = (_publishedUsed, true);
        // The index asked for is one that was passed since the last look.
        return first || Enumerable.Range(0, (ushort)(_publishedUsed - before)).Any(i => (ushort)(before + i) == asked);
    }

    public void DisableKicks()
    {
        if (!eventIndex)
            Set(place.Used, 1);
    }

    public bool EnableKicks()
    {
        if (eventIndex)
            Set(place.Used + 4 + 8 * place.Size, _knownAvailable);
        else
            Set(place.Used, 0);
        return Get(arena, place.Available + 2) != _knownAvailable;
    }

    /// <summary>Who uses the queue saw that its driver broke a rule.</summary>
    public void Distrust(QueueFault fault) => Break(fault);

    private static ushort Get(Arena arena, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(arena.Expected.AsSpan(offset));

    private void Set(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(arena.Expected.AsSpan(offset), value);

    private PopResult Break(QueueFault fault)
    {
        RingFault = fault;
        return PopResult.BadRing;
    }
}
