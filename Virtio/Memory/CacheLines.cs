using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Memory;

/// <summary>
/// Spares waits for memory that another CPU has: has it come before it is touched, and leaves it there where nothing would
/// change. To fetch and to claim never faults, and changes nothing, wherever it points.
/// </summary>
internal static unsafe class CacheLines
{
    /// <summary>Of a line.</summary>
    internal const uint Bytes = 64;

    private const uint Most = 32 * Bytes;

    private static readonly delegate* unmanaged[SuppressGCTransition]<byte*, nuint, void> ClaimCode =
        RuntimeInformation.ProcessArchitecture == Architecture.X64 ? (delegate* unmanaged[SuppressGCTransition]<byte*, nuint, void>)MachineCode.Load(Code) : null;

    // void claim(byte *at, size_t lines), at least one. .NET has no name for this instruction; processors without it do nothing.
    private static ReadOnlySpan<byte> Code =>
    [
        0x0f, 0x0d, 0x0f,       // next: prefetchw [rdi]
        0x48, 0x83, 0xc7, 0x40, //       add  rdi, 64
        0x48, 0xff, 0xce,       //       dec  rsi
        0x75, 0xf4,             //       jnz  next
        0xc3,                   //       ret
    ];

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

    /// <summary>
    /// As <see cref="Fetch"/>, of what will be stored to: takes the lines from CPUs that have read them, which each of the stores
    /// would otherwise do, one after the other.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Claim(byte* start, uint bytes)
    {
        if (ClaimCode != null && bytes > 0)
            ClaimCode(start, (Math.Min(bytes, Most) + Bytes - 1) / Bytes);
    }

    /// <summary>
    /// Stores a value, unless it is there already: then the line stays with the CPUs that have read it, and is here when it is
    /// needed next. What was read is compared and serves nothing else.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Update<T>(void* at, T value) where T : unmanaged, IEqualityOperators<T, T, bool>
    {
        if (Unsafe.ReadUnaligned<T>(at) != value)
            Unsafe.WriteUnaligned(at, value);
    }
}
