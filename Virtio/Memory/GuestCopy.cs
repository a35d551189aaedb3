using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Memory;

/// <summary>The one copy: bytes from one guest's memory straight into another's.</summary>
public static unsafe class GuestCopy
{
    private const uint LargestByLines = 2048;

    /// <summary>Copies up to <paramref name="count"/> bytes and moves both cursors past them.</summary>
    /// <returns>The bytes copied: the least of <paramref name="count"/>, what the source has and what the target holds.</returns>
    /// <remarks>
    /// Both guests may change their memory meanwhile; that changes which bytes arrive, never how many or where. When two
    /// ranges overlap (a guest linked to itself), the bytes that arrive are unspecified.
    /// </remarks>
    public static ulong Copy(ref SegmentCursor source, ref SegmentCursor target, ulong count)
    {
        count = Math.Min(count, Math.Min(source.Remaining, target.Remaining));
        for (ulong left = count; left > 0;)
        {
            uint run = target.Run(source.Run((uint)Math.Min(left, uint.MaxValue)));
            // SAFETY: both cursors vouch for `run` bytes: each lies inside a segment that a chain's walk translated, and
            // the mappings are held by the queues that the chains came from.
            Move(source.Here, target.Here, run);
            source.Skip(run);
            target.Skip(run);
            left -= run;
        }
        return count;
    }

    /// <summary>Copies bytes that lie together on both sides. Bytes at the ends of lines may be read and written twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Move(byte* from, byte* to, uint count)
    {
        if (count - CacheLines.Bytes > LargestByLines - CacheLines.Bytes)
            MoveOther(from, to, count);
        else
            MoveByLines(from, to, count);
    }

    /// <summary>Copies as many bytes as a line has: loads all before it stores, where the runtime's own vectors of 64 bytes would go by halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void MoveLine(byte* from, byte* to)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512.Store(Vector512.Load(from), to);
            return;
        }
        var low = Vector256.Load(from);
        var high = Vector256.Load(from + CacheLines.Bytes / 2);
        Vector256.Store(low, to);
        Vector256.Store(high, to + CacheLines.Bytes / 2);
    }

    /// <summary>The first place behind this one where a line begins: a store across two of them costs more than a load from two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static byte* NextLine(byte* at) => (byte*)(((nuint)at + CacheLines.Bytes) & ~(nuint)(CacheLines.Bytes - 1));

    /// <summary>64 to <see cref="LargestByLines"/> bytes; above, the C library knows better.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MoveByLines(byte* from, byte* to, uint count)
    {
        byte* end = to + count - CacheLines.Bytes;
        long apart = from - to;
        MoveLine(from, to);
        for (to = NextLine(to); to < end; to += CacheLines.Bytes)
            MoveLine(to + apart, to);
        MoveLine(end + apart, end);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MoveOther(byte* from, byte* to, uint count)
    {
        if (count > LargestByLines)
            Libc.Memcpy(to, from, count);
        else if (count >= 16)
            MoveShort(from, to, count);
        else if (count >= 8)
            MoveEnds<ulong>(from, to, count);
        else if (count >= 4)
            MoveEnds<uint>(from, to, count);
        else
            for (uint i = 0; i < count; i++)
                to[i] = from[i];
    }

    /// <summary>Bytes that two words cover.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MoveEnds<T>(byte* from, byte* to, uint count) where T : unmanaged
    {
        uint last = count - (uint)sizeof(T);
        var (front, back) = (Unsafe.ReadUnaligned<T>(from), Unsafe.ReadUnaligned<T>(from + last));
        Unsafe.WriteUnaligned(to, front);
        Unsafe.WriteUnaligned(to + last, back);
    }

    /// <summary>16 to 63 bytes.</summary>
    private static void MoveShort(byte* from, byte* to, uint count)
    {
        if (count >= 32)
            Vector256.Store(Vector256.Load(from), to);
        else
            Vector128.Store(Vector128.Load(from), to);
        if (count >= 48)
            Vector128.Store(Vector128.Load(from + 32), to + 32);
        Vector128.Store(Vector128.Load(from + count - 16), to + count - 16);
    }
}
