using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Memory;

/// <summary>Owns one mapping of a peer's memory file. Shared by the <see cref="GuestMemory"/> versions that use it.</summary>
internal sealed unsafe class MappedRegion
{
    private readonly void* _mapping;
    private readonly nuint _mappingLength;
    private int _users = 1;

    private MappedRegion(void* mapping, nuint mappingLength, byte* start)
    {
        _mapping = mapping;
        _mappingLength = mappingLength;
        Start = start;
    }

    /// <summary>The first byte of the region; valid as long as a user holds it.</summary>
    internal byte* Start { get; }

    /// <summary>Maps <paramref name="size"/> bytes from <paramref name="offset"/> of a memory file, for reading and writing.</summary>
    /// <returns>The region, held once; or null and the reason, for a person.</returns>
    internal static MappedRegion? TryMap(FileDescriptor file, ulong offset, ulong size, out string reason)
    {
        Libc.Statx status;
        if (Libc.statx(file.Number, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, &status) != 0
            || (status.Mode & Libc.S_IFMT) != Libc.S_IFREG)
        {
            reason = "its descriptor is not a memory file";
            return null;
        }
        if (size == 0 || offset > status.Size || size > status.Size - offset)
        {
            reason = $"its file has {status.Size} bytes, fewer than offset {offset} + size {size}";
            return null;
        }
        return Map(file, offset, size, Math.Max(status.BlockSize, (uint)Environment.SystemPageSize), out reason);
    }

    /// <summary>One more user.</summary>
    internal MappedRegion Hold()
    {
        Interlocked.Increment(ref _users);
        return this;
    }

    /// <summary>One user fewer; the last one unmaps.</summary>
    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            _ = Libc.munmap(_mapping, _mappingLength);
    }

    private static MappedRegion? Map(FileDescriptor file, ulong offset, ulong size, uint blockSize, out string reason)
    {
        // Huge pages map only at multiples of their size, which the file gives as its block size; a front-end's
        // regions need not begin at one.
        ulong lead = offset % blockSize;
        ulong length = (lead + size + blockSize - 1) / blockSize * blockSize;
        // A memfd that still takes seals is made unable to shrink: a page that is gone would be a SIGBUS to us.
        _ = Libc.fcntl(file.Number, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK);
        void* mapping = Libc.mmap(
            null, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED | Libc.MAP_NORESERVE, file.Number, (long)(offset - lead));
        if ((nint)mapping == -1)
        {
            reason = new NativeException("mmap", Libc.LastError).Message;
            return null;
        }
        _ = Libc.madvise(mapping, (nuint)length, Libc.MADV_DONTDUMP);
        reason = "";
        return new MappedRegion(mapping, (nuint)length, (byte*)mapping + lead);
    }
}
