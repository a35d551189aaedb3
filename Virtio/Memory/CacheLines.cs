using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace InterGuest.Virtio.Memory;

/// <summary>Has the CPU fetch memory that will soon be touched, and that another CPU had last. Never faults, and changes nothing.</summary>
internal static unsafe class CacheLines
{
    private const uint Bytes = 64, Most = 32 * Bytes;

    /// <summary>Begins to fetch one line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void FetchOne(byte* at)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(at);
    }

    /// <summary>Begins to fetch a line and the one behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void FetchTwo(byte* at)
    {
        FetchOne(at);
        FetchOne(at + Bytes);
    }

    /// <summary>Begins to fetch the lines of a range; of a long one the first alone: the CPU sees by itself how it goes on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Fetch(byte* start, uint bytes)
    {
        if (!Sse.IsSupported)
            return;
        byte* end = start + Math.Min(bytes, Most);
        for (byte* line = start; line < end; line += Bytes)
            Sse.Prefetch0(line);
    }
}
