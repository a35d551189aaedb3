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

    private readonly Span<Entry> _entries = room;
    private int _count;

    /// <summary>A copy put off.</summary>
    internal struct Entry
    {
        internal byte* From, To;
        internal uint Count;
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
            if (i + Ahead < entries.Length)
                Fetch(entries[i + Ahead]);
            GuestCopy.Move(copy.From, copy.To, copy.Count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(in Entry copy)
    {
        CacheLines.Fetch(copy.From, copy.Count);
        CacheLines.Claim(copy.To, copy.Count);
    }
}
