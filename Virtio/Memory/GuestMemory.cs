using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Memory;

/// <summary>Where a region of guest memory lies, as a vhost-user memory table says.</summary>
/// <param name="GuestAddress">Guest physical address of its first byte.</param>
/// <param name="Size">Bytes.</param>
/// <param name="UserAddress">The first byte's address in the front-end, in whose terms ring addresses are given.</param>
/// <param name="FileOffset">Offset of the first byte in the region's file.</param>
public readonly record struct RegionLayout(ulong GuestAddress, ulong Size, ulong UserAddress, ulong FileOffset)
{
    /// <summary>Whether first to last byte exist in both address spaces and the file, without wrapping round.</summary>
    public bool IsValid =>
        Size > 0 && GuestAddress <= ulong.MaxValue - Size && UserAddress <= ulong.MaxValue - Size && FileOffset <= long.MaxValue - Size && Size <= long.MaxValue;

    internal bool Overlaps(in RegionLayout other) =>
        (GuestAddress < other.GuestAddress + other.Size && other.GuestAddress < GuestAddress + Size)
        || (UserAddress < other.UserAddress + other.Size && other.UserAddress < UserAddress + Size);
}

/// <summary>
/// The memory that one guest shares with us: an immutable table of mapped regions. Every access to guest memory begins with
/// a translation here. A change makes a new table; the regions that stay are shared, and the last holder unmaps.
/// </summary>
public sealed unsafe class GuestMemory
{
    /// <summary>How many regions a guest may have (QEMU asks once and wants it never to shrink).</summary>
    public const int MaxRegions = 509;

    /// <summary>No memory at all.</summary>
    public static readonly GuestMemory Empty = new([]);

    // By guest address.
    private readonly Region[] _regions;
    private int _holders = 1;

    private GuestMemory(Region[] regions) => _regions = regions;

    /// <summary>The regions, by guest address.</summary>
    public IEnumerable<RegionLayout> Layout => _regions.Select(r => r.Layout);

    /// <summary>How many regions there are.</summary>
    public int RegionCount => _regions.Length;

    /// <summary>Bytes mapped, in all.</summary>
    public ulong TotalBytes => _regions.Aggregate(0UL, (sum, r) => sum + r.Layout.Size);

    /// <summary>How often a guest's memory was lost, in the whole process: then look at <see cref="IsLost"/>.</summary>
    public static long TotalLosses => BusErrorGuard.TotalLosses;

    /// <summary>Whether the file of a region was cut short while it was mapped. The guest's data is gone; nobody else's is.</summary>
    public bool IsLost
    {
        get
        {
            foreach (ref readonly var region in _regions.AsSpan())
                if (region.Mapped.IsLost)
                    return true;
            return false;
        }
    }

    /// <inheritdoc cref="TryAdd(RegionLayout, FileDescriptor, out RegionFault, out string)"/>
    public GuestMemory? TryAdd(RegionLayout layout, FileDescriptor file, out string reason) => TryAdd(layout, file, out _, out reason);

    /// <summary>This table and one region more. This table stays as it was, held by its holders.</summary>
    /// <param name="layout">The region.</param>
    /// <param name="file">The file behind it; not kept.</param>
    /// <param name="fault">Why not.</param>
    /// <param name="reason">Why not, for a person.</param>
    /// <returns>The new table, held once, or this one if it has the region already; or null.</returns>
    public GuestMemory? TryAdd(RegionLayout layout, FileDescriptor file, out RegionFault fault, out string reason)
    {
        fault = RegionFault.None;
        if (IndexOf(layout) is >= 0 and var known && _regions[known].Layout == layout && _regions[known].Mapped.IsOf(file))
        {
            reason = "";
            return Hold();
        }
        if (!layout.IsValid)
            return Refuse(RegionFault.Wraps, $"{Name(layout)} has no bytes or wraps round", out fault, out reason);
        if (_regions.Length >= MaxRegions)
            return Refuse(RegionFault.TooMany, $"{Name(layout)} is one more than the {MaxRegions} regions there may be", out fault, out reason);
        foreach (ref readonly var other in _regions.AsSpan())
            if (layout.Overlaps(other.Layout))
                return Refuse(RegionFault.Overlaps, $"{Name(layout)} overlaps {Name(other.Layout)}", out fault, out reason);
        if (MappedRegion.TryMap(file, layout.FileOffset, layout.Size, out fault, out string why) is not { } mapped)
            return Refuse(fault, $"{Name(layout)}: {why}", out fault, out reason);

        reason = "";
        foreach (ref readonly var other in _regions.AsSpan())
            other.Mapped.Hold();
        return new GuestMemory([.. _regions.Append(new Region(layout, mapped)).OrderBy(r => r.Layout.GuestAddress)]);
    }

    /// <summary>This table without the region at these addresses (its file offset is not looked at: QEMU sends 0).</summary>
    /// <returns>The new table, held once; or null if there is no such region.</returns>
    public GuestMemory? TryRemove(RegionLayout layout)
    {
        int at = IndexOf(layout);
        if (at < 0)
            return null;
        Region[] rest = [.. _regions[..at], .. _regions[(at + 1)..]];
        foreach (ref readonly var region in rest.AsSpan())
            region.Mapped.Hold();
        return new GuestMemory(rest);
    }

    /// <summary>One more holder of this table.</summary>
    public GuestMemory Hold()
    {
        Interlocked.Increment(ref _holders);
        return this;
    }

    /// <summary>One holder fewer. After the last, no pointer into this memory may be used.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) != 0 || ReferenceEquals(this, Empty))
            return;
        foreach (ref readonly var region in _regions.AsSpan())
            region.Mapped.Release();
    }

    /// <summary>Finds the region that an address lies in.</summary>
    /// <param name="guestAddress">Any number: it comes from a guest.</param>
    /// <param name="layout">Where it lies for the guest.</param>
    /// <returns>Where it lies for us; null if there is no memory at that address.</returns>
    internal byte* Find(ulong guestAddress, out RegionLayout layout)
    {
        int low = 0, high = _regions.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            ref readonly var region = ref _regions[middle];
            layout = region.Layout;
            if (guestAddress < layout.GuestAddress)
                high = middle - 1;
            else if (guestAddress - layout.GuestAddress >= layout.Size)
                low = middle + 1;
            else
                return region.Start;
        }
        layout = default;
        return null;
    }

    /// <summary>Reads bytes at one of the front-end's addresses, all inside one region.</summary>
    /// <returns>False if they are not.</returns>
    public bool TryReadUser(ulong userAddress, Span<byte> to)
    {
        byte* start = TranslateUser(userAddress, (ulong)to.Length);
        if (start == null)
            return false;
        // SAFETY: the range was found to be inside a mapped region, which the caller holds with this table.
        new ReadOnlySpan<byte>(start, to.Length).CopyTo(to);
        return true;
    }

    /// <summary>The host address of a range given by the front-end's addresses, all inside one region; null if it is not.</summary>
    internal byte* TranslateUser(ulong userAddress, ulong length)
    {
        foreach (ref readonly var region in _regions.AsSpan())
        {
            ulong offset = userAddress - region.Layout.UserAddress;
            if (offset < region.Layout.Size)
                return length <= region.Layout.Size - offset ? region.Start + offset : null;
        }
        return null;
    }

    /// <summary>The guest's address of a byte that a translation has found.</summary>
    /// <param name="host">Where it is mapped here.</param>
    /// <param name="hint">The index of the region found last; updated.</param>
    /// <param name="guestAddress">Its address.</param>
    internal bool TryGuestAddress(byte* host, ref int hint, out ulong guestAddress)
    {
        var regions = _regions;
        for (int i = -1; i < regions.Length; i++)
        {
            int at = i < 0 ? hint : i;
            if ((uint)at >= (uint)regions.Length)
                continue;
            ref readonly var region = ref regions[at];
            ulong offset = (ulong)(host - region.Start);
            if (offset >= region.Layout.Size)
                continue;
            hint = at;
            guestAddress = region.Layout.GuestAddress + offset;
            return true;
        }
        guestAddress = 0;
        return false;
    }

    private int IndexOf(RegionLayout layout) =>
        Array.FindIndex(_regions, r => r.Layout with { FileOffset = 0 } == layout with { FileOffset = 0 });

    private static string Name(in RegionLayout layout) => $"the memory region at guest address 0x{layout.GuestAddress:x} ({layout.Size} bytes)";

    private static GuestMemory? Refuse(RegionFault kind, string why, out RegionFault fault, out string reason)
    {
        (fault, reason) = (kind, why);
        return null;
    }

    private readonly struct Region(RegionLayout layout, MappedRegion mapped)
    {
        internal readonly RegionLayout Layout = layout;
        internal readonly MappedRegion Mapped = mapped;
        internal readonly byte* Start = mapped.Start;
    }
}
