using System.Runtime.InteropServices;

namespace InterGuest.Benchmarks;

/// <summary>What is compared with.</summary>
internal static partial class Native
{
    /// <summary>The C library's copy.</summary>
    public static void Copy(Span<byte> from, Span<byte> to) =>
        Memcpy(ref MemoryMarshal.GetReference(to), ref MemoryMarshal.GetReference(from), (nuint)from.Length);

    /// <summary>mmap(2).</summary>
    [LibraryImport("libc", EntryPoint = "mmap")]
    public static partial nint MMap(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "memcpy")]
    [SuppressGCTransition]
    private static partial nint Memcpy(ref byte to, ref byte from, nuint count);
}
