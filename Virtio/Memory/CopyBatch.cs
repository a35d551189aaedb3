using System.Runtime.CompilerServices;

namespace InterGuest.Virtio.Memory;

/// <summary>
/// Copies that are put off until all that belongs to them has been looked at, and are then made in one go: nothing else is loaded
/// between the stores of one and the next, and the memory of those that follow is fetched meanwhile.
/// </summary>
/// <param name="room">For copies put off; when it is full, they are made.</param>
internal unsafe ref struct CopyBatch(Span<CopyBatch.Entry> room)
{
    /// <summary>Enough for some frames of 9000 bytes in pieces of 2 KiB, and little enough for a stack.</summary>
    internal const int Room = 128;

    /// <summary>How many copies ahead the lines of both ranges are fetched, the target's to be written.</summary>
    private const int Ahead = 2;

    /// <summary>Bytes copied between one fetch and the next.</summary>
    private const int Step = 512;

    private readonly Span<Entry> _entries = room;
    private int _count;

    /// <summary>A copy put off.</summary>
    internal struct Entry
    {
        internal byte* From, To;
        internal uint Count;

        /// <summary>Begins to fetch the next bytes, the target's to be written, and goes past them.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal void Fetch(uint bytes)
        {
            bytes = Math.Min(bytes, Count);
            if (bytes == 0)
                return;
            CacheLines.Claim(To, bytes);
            CacheLines.Fetch(From, bytes);
            From += bytes;
            To += bytes;
            Count -= bytes;
        }
    }

    /// <summary>Puts a copy off.</summary>
    /// <param name="from">So many bytes, which a translation found to be a guest's.</param>
    /// <param name="to">The same, of the other guest. Where the ranges of a batch overlap, the bytes that arrive are unspecified.</param>
    /// <param name="count">At least 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(byte* from, byte* to, uint count)
    {
        CacheLines.FetchOne(from);
        CacheLines.FetchOne(to);
        ref var entry = ref _entries[_count];
        entry.From = from;
        entry.To = to;
        entry.Count = count;
        if (++_count == _entries.Length)
            Run();
    }

    /// <summary>Makes the copies that were put off.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void Run()
    {
        var entries = _entries[.._count];
        _count = 0;
        if (entries.IsEmpty)
            return;
        var next = entries[0];
        for (int i = 0; i < entries.Length; i++)
        {
            var copy = next;
            // Read before the stores of the copy: a load whose address looks like one of theirs, within a page, waits for it.
            if (i + 1 < entries.Length)
                next = entries[i + 1];
            Move(copy, i + Ahead < entries.Length ? entries[i + Ahead] : default);
        }
    }

    /// <summary>
    /// Copies, and meanwhile fetches both ranges of a later copy, some lines at a time: the CPU can only have so many on their way,
    /// and would wait for all at once before the first was copied.
    /// </summary>
    private static void Move(in Entry copy, Entry later)
    {
        if (copy.Count < CacheLines.Bytes)
        {
            later.Fetch(later.Count);
            GuestCopy.Move(copy.From, copy.To, copy.Count);
            return;
        }
        byte* to = copy.To;
        byte* end = to + copy.Count - CacheLines.Bytes;
        long apart = copy.From - to;
        GuestCopy.MoveLine(copy.From, to);
        for (to = GuestCopy.NextLine(to); to < end;)
        {
            byte* pause = end - to > Step ? to + Step : end;
            later.Fetch(Step);
            for (; to < pause; to += CacheLines.Bytes)
                GuestCopy.MoveLine(to + apart, to);
        }
        GuestCopy.MoveLine(end + apart, end);
        later.Fetch(later.Count);
    }
}
