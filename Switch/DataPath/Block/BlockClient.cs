using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>
/// A client of a disk: what a block port's rings have in common. Belongs to the loop while a ring is joined, else to the control
/// thread.
/// </summary>
public sealed class BlockClient(BlockCounters counters)
{
    private static int _lastId;

    private readonly List<ClientQueue> _queues = [];

    // Parts that the server has of requests that have ended without its reply.
    private readonly HashSet<BlockTag> _orphans = [];
    private ulong _sequence;

    /// <summary>In tags: by which the server's replies find it.</summary>
    public ushort Id { get; init; } = (ushort)Interlocked.Increment(ref _lastId);

    /// <summary>The port's counters.</summary>
    public BlockCounters Counters => counters;

    /// <summary>The disk that the guest sees; null: it sees none.</summary>
    public BlockAnnouncement? Disk { get; set; }

    /// <summary>Whether a guest uses the disk, so that it must stay what it is.</summary>
    public bool IsInUse { get; set; }

    /// <summary>Whether each write is to be durable: the driver has no FLUSH, or has turned the cache off.</summary>
    public bool WritesThrough { get; set; }

    /// <summary>Writes that are done.</summary>
    internal long WritesDone { get; private set; }

    /// <summary>Of those: how many are on the medium, by a FLUSH.</summary>
    internal long WritesFlushed { get; private set; }

    /// <summary>The server has lost writes that the guest believes done: its next FLUSH fails, once.</summary>
    internal bool HasLostWrites { get; private set; }

    /// <summary>The server has been away for too long: requests fail until it is there again.</summary>
    internal bool IsFailing { get; set; }

    /// <summary>Parts of requests that the server has.</summary>
    internal int PartsOut { get; set; }

    /// <summary>Bytes of reads and writes that the server has.</summary>
    internal long BytesOut { get; set; }

    /// <summary>How many of them it may have at a time; 0: any number.</summary>
    public long MaxBytesOut { get; set; }

    /// <summary>Whether it has held a request back for that: it looks again when there is a reply.</summary>
    internal bool IsHeldBack { get; set; }

    /// <summary>
    /// Whether the server has parts of requests that have ended without it, as when a guest goes. What it may still do to the disk
    /// must be over before anything else is asked for: an old write could overwrite a newer one.
    /// </summary>
    internal bool HasOrphans => _orphans.Count > 0;

    /// <summary>Whether the server has anything of this client's.</summary>
    internal bool IsWithServer => PartsOut > 0 || HasOrphans;

    /// <summary>The epoch in which requests were sent last; null: it is over.</summary>
    internal uint? Epoch { get; private set; }

    internal IReadOnlyList<ClientQueue> Queues => _queues;

    /// <summary>The requests of a ring, made on its first start.</summary>
    internal ClientQueue QueueOf(int ring, int size)
    {
        while (_queues.Count <= ring)
            _queues.Add(new ClientQueue(this, (ushort)_queues.Count, size));
        if (_queues[ring].Size == size)
            return _queues[ring];
        _queues[ring].Dispose();
        return _queues[ring] = new ClientQueue(this, (ushort)ring, size);
    }

    /// <summary>The requests of a ring; null: it never ran.</summary>
    internal ClientQueue? FindQueue(int ring) => ring < _queues.Count ? _queues[ring] : null;

    internal ulong NextSequence() => ++_sequence;

    internal BlockTag TagOf(ClientQueue queue, Flight flight, int part) =>
        new(Epoch!.Value, Id, queue.Index, flight.Head, (ushort)part, flight.Generation);

    internal void WriteDone() => WritesDone++;

    internal void FlushDone(long writesBefore) => WritesFlushed = Math.Max(WritesFlushed, writesBefore);

    /// <summary>Another server's cache, or that of one that has crashed: what was in the one before is gone.</summary>
    internal void CacheLost() => HasLostWrites |= WritesDone > WritesFlushed;

    /// <summary>The guest has used the disk before we were there to count its writes.</summary>
    internal void AssumeWrites() => WritesDone++;

    /// <summary>The guest is told of the writes that were lost.</summary>
    internal void TellLostWrites()
    {
        HasLostWrites = false;
        WritesFlushed = WritesDone;
    }

    /// <summary>Requests are sent in this epoch from now on.</summary>
    internal void BeginEpoch(uint epoch)
    {
        if (Epoch == epoch)
            return; // for another ring
        EndEpoch();
        Epoch = epoch;
    }

    /// <summary>Nothing that the server still does counts.</summary>
    internal void EndEpoch()
    {
        (Epoch, PartsOut, BytesOut) = (null, 0, 0);
        _orphans.Clear();
    }

    /// <summary>A request ends, and the server may have parts of it.</summary>
    internal void Ended(ClientQueue queue, Flight flight)
    {
        if (flight.PartsOut == 0 || queue.Epoch != Epoch)
            return; // it has none, or of an epoch that is over
        for (int part = 0; part < Flight.MaxParts; part++)
            if (flight.IsOut(part))
                _orphans.Add(TagOf(queue, flight, part));
        Took(flight.PartsOut, flight.BytesOut);
    }

    /// <summary>Whether a reply is to a request that has ended without it: then it comes late, and is nobody's fault.</summary>
    internal bool TakeOrphan(BlockTag tag) => _orphans.Remove(tag);

    /// <summary>Parts of requests are no longer counted as with the server.</summary>
    internal void Took(int parts, long bytes)
    {
        PartsOut -= parts;
        BytesOut -= bytes;
    }

    /// <summary>Whether so much more would be too much in flight. One request may always be, however large.</summary>
    internal bool MustWaitFor(uint bytes) =>
        IsHeldBack = MaxBytesOut != 0 && bytes > 0 && BytesOut > 0 && BytesOut + bytes > MaxBytesOut;

    /// <summary>The guest has gone, and its requests with it.</summary>
    public void Clear()
    {
        foreach (var queue in _queues)
            queue.Clear();
        (WritesDone, WritesFlushed, HasLostWrites) = (0, 0, false);
    }
}
