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
            CacheLines.ClaimAndFetch(To, From, bytes);
            From += bytes;
            To += bytes;
            Count -= bytes;
        }
    }

    /// <summary>Puts the copies off that bring bytes from some places to others.</summary>
    /// <param name="from">At least so many bytes, which translations found to be a guest's. Only the first place may be empty.</param>
    /// <param name="to">The same, of the other guest. Where the ranges of a batch overlap, the bytes that arrive are unspecified.</param>
    /// <param name="count">At least 1.</param>
    internal void Add(scoped ReadOnlySpan<Segment> from, scoped ReadOnlySpan<Segment> to, uint count)
    {
        // Each copy uses one of them up.
        if (_entries.Length - _count < from.Length + to.Length)
            Run();
        _count += Put(from, to, count, _entries[_count..]);
    }

    /// <summary>Calls nothing: what the loop needs has room in the registers then.</summary>
    /// <returns>How many copies they are.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Put(ReadOnlySpan<Segment> from, ReadOnlySpan<Segment> to, uint count, Span<Entry> entries)
    {
        int piece = 0, room = 0, put = 0;
        byte* source = from[0].Start, target = to[0].Start;
        uint here = from[0].Length, there = to[0].Length;
        while (true)
        {
            if (here == 0)
            {
                piece++;
                source = from[piece].Start;
                here = from[piece].Length;
            }
            if (there == 0)
            {
                room++;
                target = to[room].Start;
                there = to[room].Length;
            }
            uint run = Math.Min(Math.Min(here, there), count);
            CacheLines.FetchOne(source);
            CacheLines.FetchOne(target);
            ref var entry = ref entries[put++];
            entry.From = source;
            entry.To = target;
            entry.Count = run;
            count -= run;
            if (count == 0)
                return put;
            source += run;
            target += run;
            here -= run;
            there -= run;
        }
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
