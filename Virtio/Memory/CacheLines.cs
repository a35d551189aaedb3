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
        (delegate* unmanaged[SuppressGCTransition]<byte*, nuint, void>)Load(Claiming);

    private static readonly delegate* unmanaged[SuppressGCTransition]<byte*, byte*, nuint, void> ClaimAndFetchCode =
        (delegate* unmanaged[SuppressGCTransition]<byte*, byte*, nuint, void>)Load(ClaimingAndFetching);

    // void claim(byte *at, size_t lines), at least one. .NET has no name for this instruction; processors without it do nothing.
    private static ReadOnlySpan<byte> Claiming =>
    [
        0x0f, 0x0d, 0x0f,       // next: prefetchw [rdi]
        0x48, 0x83, 0xc7, 0x40, //       add  rdi, 64
        0x48, 0xff, 0xce,       //       dec  rsi
        0x75, 0xf4,             //       jnz  next
        0xc3,                   //       ret
    ];

    // void claim_and_fetch(byte *claimed, byte *fetched, size_t lines), at least one.
    private static ReadOnlySpan<byte> ClaimingAndFetching =>
    [
        0x0f, 0x0d, 0x0f,       // next: prefetchw  [rdi]
        0x0f, 0x18, 0x0e,       //       prefetcht0 [rsi]
        0x48, 0x83, 0xc7, 0x40, //       add  rdi, 64
        0x48, 0x83, 0xc6, 0x40, //       add  rsi, 64
        0x48, 0xff, 0xca,       //       dec  rdx
        0x75, 0xed,             //       jnz  next
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

    /// <summary>
    /// Begins to fetch the lines of a range that will be stored to; of a long one the first alone: the CPU sees by itself how it
    /// goes on. Takes them from CPUs that have read them, which each of the stores would otherwise do, one after the other.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Claim(byte* start, uint bytes)
    {
        if (ClaimCode != null && bytes > 0)
            ClaimCode(start, Lines(bytes));
    }

    /// <summary>Claims a range, and fetches another that is as long.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void ClaimAndFetch(byte* claimed, byte* fetched, uint bytes)
    {
        if (ClaimAndFetchCode != null && bytes > 0)
            ClaimAndFetchCode(claimed, fetched, Lines(bytes));
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

    private static nuint Lines(uint bytes) => (Math.Min(bytes, Most) + Bytes - 1) / Bytes;

    private static byte* Load(ReadOnlySpan<byte> code) =>
        RuntimeInformation.ProcessArchitecture == Architecture.X64 ? MachineCode.Load(code) : null;
}
