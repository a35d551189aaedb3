namespace InterGuest.Virtio.Queues;

/// <summary>A place in a packed ring: an index and the wrap counter that goes with it (VIRTIO 1.2, 2.8.1).</summary>
internal struct RingCursor
{
    private const ushort WrapBit = 1 << 15;

    /// <summary>The beginning of a fresh ring.</summary>
    internal static RingCursor Begin => new() { Wrap = true };

    /// <summary>Of the descriptor.</summary>
    internal ushort Index { get; private set; }

    /// <summary>Changes each time the ring's end is passed.</summary>
    internal bool Wrap { get; private set; }

    /// <summary>Both, as the event suppression structure and the vring state have them.</summary>
    internal readonly ushort Word => (ushort)(Index | (Wrap ? WrapBit : 0));

    /// <summary>Flags of a used descriptor here.</summary>
    internal readonly ushort UsedFlags => Wrap ? (ushort)(PackedDescriptor.Available | PackedDescriptor.Used) : (ushort)0;

    /// <summary>Flags that make a descriptor here available.</summary>
    internal readonly ushort AvailableFlags => Wrap ? PackedDescriptor.Available : PackedDescriptor.Used;

    /// <summary>The place that a word names; an index beyond the ring, from a peer, is its beginning.</summary>
    internal static RingCursor From(ushort word, int size)
    {
        ushort index = (ushort)(word & ~WrapBit);
        return new RingCursor { Index = index < size ? index : (ushort)0, Wrap = (word & WrapBit) != 0 };
    }

    /// <summary>Whether a descriptor here with these flags is available.</summary>
    internal readonly bool IsAvailable(ushort flags) =>
        (flags & (PackedDescriptor.Available | PackedDescriptor.Used)) == AvailableFlags;

    /// <summary>Whether a descriptor here with these flags is used.</summary>
    internal readonly bool IsUsed(ushort flags) =>
        (flags & (PackedDescriptor.Available | PackedDescriptor.Used)) == UsedFlags;

    /// <summary>Goes on by at most <paramref name="size"/> entries.</summary>
    internal void Advance(int entries, int size)
    {
        int index = Index + entries;
        if (index >= size)
        {
            index -= size;
            Wrap = !Wrap;
        }
        Index = (ushort)index;
    }

    /// <summary>Goes back by at most <paramref name="size"/> entries.</summary>
    internal void Retreat(int entries, int size)
    {
        int index = Index - entries;
        if (index < 0)
        {
            index += size;
            Wrap = !Wrap;
        }
        Index = (ushort)index;
    }
}
