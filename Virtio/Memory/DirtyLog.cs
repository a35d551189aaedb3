using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Memory;

/// <summary>
/// The log of a guest's pages that were written, for its live migration (vhost-user, "Migration"): a bitmap in memory shared
/// with the front-end, a bit per 4 KiB page of guest addresses, lowest bit first. We set bits, the front-end reads and
/// clears them at the same time.
/// </summary>
/// <remarks>
/// A page is marked <em>after</em> it was written: a bit set before could be taken by the front-end, the page sent, and the
/// write lost. Any thread may mark; the mapping is shared and counted as those of <see cref="GuestMemory"/>.
/// </remarks>
public sealed unsafe class DirtyLog
{
    private const int PageBits = 12;

    private readonly MappedRegion _bitmap;
    private readonly ulong _pages;
    private long _outOfRange;

    private DirtyLog(MappedRegion bitmap, ulong bytes)
    {
        _bitmap = bitmap;
        _pages = bytes > ulong.MaxValue >> 3 ? ulong.MaxValue : bytes << 3;
    }

    /// <summary>Times that a page was written for which the log has no bit: it was too small.</summary>
    public long OutOfRange => Volatile.Read(ref _outOfRange);

    /// <summary>Maps a log.</summary>
    /// <param name="file">Shared memory.</param>
    /// <param name="offset">Of the bitmap's first byte.</param>
    /// <param name="size">Bytes of the bitmap.</param>
    /// <param name="fault">Why not.</param>
    /// <param name="reason">Why not, for a person.</param>
    /// <returns>The log, held once; or null.</returns>
    public static DirtyLog? TryMap(FileDescriptor file, ulong offset, ulong size, out RegionFault fault, out string reason)
    {
        if (MappedRegion.TryMap(file, offset, size, out fault, out string why) is { } bitmap)
        {
            reason = "";
            return new DirtyLog(bitmap, size);
        }
        reason = $"the log of dirty pages: {why}";
        return null;
    }

    /// <summary>One more holder.</summary>
    public DirtyLog Hold()
    {
        _bitmap.Hold();
        return this;
    }

    /// <summary>One holder fewer; after the last nothing may be marked.</summary>
    public void Release() => _bitmap.Release();

    /// <summary>Marks all pages that a written range touches.</summary>
    /// <param name="guestAddress">Its first byte.</param>
    /// <param name="length">Bytes; 0 marks nothing.</param>
    public void Mark(ulong guestAddress, ulong length)
    {
        if (length == 0)
            return;
        ulong last = (length - 1 > ulong.MaxValue - guestAddress ? ulong.MaxValue : guestAddress + (length - 1)) >> PageBits;
        for (ulong page = guestAddress >> PageBits; page <= last; page++)
        {
            if (page >= _pages)
            {
                Interlocked.Increment(ref _outOfRange);
                return;
            }
            Set(page);
        }
    }

    private void Set(ulong page)
    {
        byte* place = _bitmap.Start + (page >> 3);
        // SAFETY: the byte is in the mapping, by the check above; so is the aligned word around it, for a mapping is whole pages.
        ref uint word = ref *(uint*)((nuint)place & ~(nuint)3);
        Interlocked.Or(ref word, 1u << ((int)((nuint)place & 3) * 8 + (int)(page & 7)));
    }
}
