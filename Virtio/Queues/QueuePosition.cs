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
/// <param name="Id">Split: the index of its first descriptor. Packed: its buffer id, any number of the driver's.</param>
/// <param name="Slots">Packed: the ring entries that it takes. Split: 1, its entry in the available ring.</param>
public readonly record struct ChainTicket(ushort Id, ushort Slots);
