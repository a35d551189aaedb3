namespace InterGuest.Virtio.Native;

/// <summary>Instructions that no compiler here makes, in a page of their own that can be run and no longer written.</summary>
internal static unsafe class MachineCode
{
    /// <summary>Puts them there, for as long as the process lives.</summary>
    /// <param name="code">Position-independent, for this processor; at most a page.</param>
    /// <param name="data">A word that it finds behind itself.</param>
    /// <exception cref="NativeException">There is no memory, or none that may be run.</exception>
    internal static byte* Load(ReadOnlySpan<byte> code, nint data = 0)
    {
        nuint bytes = (nuint)Environment.SystemPageSize;
        ArgumentOutOfRangeException.ThrowIfGreaterThan((nuint)code.Length + (nuint)sizeof(nint), bytes);
        byte* page = (byte*)Libc.MapAnonymous(bytes);
        code.CopyTo(new Span<byte>(page, code.Length));
        *(nint*)(page + code.Length) = data;
        Libc.Check(Libc.mprotect(page, bytes, Libc.PROT_READ | Libc.PROT_EXEC), "mprotect");
        return page;
    }
}
