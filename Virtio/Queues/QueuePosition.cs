namespace InterGuest.Virtio.Queues;

/// <summary>Where a queue stands between two publications; only the queue that gave it can read it.</summary>
public readonly struct QueuePosition
{
    internal QueuePosition(uint next, uint used, int outstanding) => (Next, Used, Outstanding) = (next, used, outstanding);

    internal uint Next { get; }

    internal uint Used { get; }

    internal int Outstanding { get; }
}

/// <summary>By which a chain is given back.</summary>
public readonly record struct ChainTicket
{
    // One word: a CPU cannot hand two stores on to a load of both, and waits until all before them have reached its cache,
    // which are the frames that were copied last.
    private readonly uint _word;

    /// <summary>Makes one.</summary>
    /// <param name="id">Split: the index of its first descriptor. Packed: its buffer id, any number of the driver's.</param>
    /// <param name="slots">Packed: the ring entries that it takes. Split: 1, its entry in the available ring.</param>
    public ChainTicket(ushort id, ushort slots) => _word = id | (uint)slots << 16;

    /// <summary>Split: the index of its first descriptor. Packed: its buffer id, any number of the driver's.</summary>
    public ushort Id => (ushort)_word;

    /// <summary>Packed: the ring entries that it takes. Split: 1, its entry in the available ring.</summary>
    public ushort Slots => (ushort)(_word >> 16);
}
