using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Memory;

/// <summary>Owns one mapping of a peer's memory file. Shared by the <see cref="GuestMemory"/> versions that use it.</summary>
internal sealed unsafe class MappedRegion
{
    private readonly void* _mapping;
    private readonly nuint _mappingLength;
    private readonly FileIdentity _file;
    private readonly int _guard;
    private int _users = 1;

    private MappedRegion(void* mapping, nuint mappingLength, byte* start, FileIdentity file)
    {
        _mapping = mapping;
        _mappingLength = mappingLength;
        _file = file;
        _guard = BusErrorGuard.Add(mapping, mappingLength);
        Start = start;
    }

    /// <summary>The first byte of the region; valid as long as a user holds it.</summary>
    internal byte* Start { get; }

    /// <summary>Maps <paramref name="size"/> bytes from <paramref name="offset"/> of a memory file, for reading and writing.</summary>
    /// <returns>The region, held once; or null and the reason, for a program and for a person.</returns>
    internal static MappedRegion? TryMap(FileDescriptor file, ulong offset, ulong size, out RegionFault fault, out string reason)
    {
        if (!FileIdentity.TryGet(file, out var identity, out var status) || (status.Mode & Libc.S_IFMT) != Libc.S_IFREG)
        {
            (fault, reason) = (RegionFault.NotAFile, "its descriptor is not a memory file");
            return null;
        }
        if (size == 0 || offset > status.Size || size > status.Size - offset)
        {
            (fault, reason) = (RegionFault.OutsideFile, $"its file has {status.Size} bytes, fewer than offset {offset} + size {size}");
            return null;
        }
        return Map(file, identity, offset, size, Math.Max(status.BlockSize, (uint)Environment.SystemPageSize), out fault, out reason);
    }

    /// <summary>Whether its file was cut short while it was mapped: zeros that nobody shares are in its place.</summary>
    internal bool IsLost => BusErrorGuard.Losses(_guard) > 0;

    /// <summary>Whether this is a mapping of that file, by whichever descriptor.</summary>
    internal bool IsOf(FileDescriptor file) => FileIdentity.TryGet(file, out var identity, out _) && identity == _file;

    /// <summary>One more user.</summary>
    internal MappedRegion Hold()
    {
        Interlocked.Increment(ref _users);
        return this;
    }

    /// <summary>One user fewer; the last one unmaps.</summary>
    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) != 0)
            return;
        BusErrorGuard.Remove(_guard);
        _ = Libc.munmap(_mapping, _mappingLength);
    }

    private static MappedRegion? Map(FileDescriptor file, FileIdentity identity, ulong offset, ulong size, uint blockSize, out RegionFault fault, out string reason)
    {
        // Huge pages map only at multiples of their size, which the file gives as its block size; a front-end's
        // regions need not begin at one.
        ulong lead = offset % blockSize;
        ulong length = (lead + size + blockSize - 1) / blockSize * blockSize;
        // A page that is gone would be a SIGBUS to us. A memfd that still takes seals is made unable to shrink.
        _ = Libc.fcntl(file.Number, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK);
        if (!BusErrorGuard.IsAvailable && Libc.fcntl(file.Number, Libc.F_GET_SEALS, 0) is var seals && (seals < 0 || (seals & Libc.F_SEAL_SHRINK) == 0))
        {
            (fault, reason) = (RegionFault.CanShrink, "its file can shrink: use a memfd sealed against that");
            return null;
        }
        void* mapping = Libc.mmap(
            null, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED | Libc.MAP_NORESERVE, file.Number, (long)(offset - lead));
        if ((nint)mapping == -1)
        {
            (fault, reason) = (RegionFault.NotMapped, new NativeException("mmap", Libc.LastError).Message);
            return null;
        }
        _ = Libc.madvise(mapping, (nuint)length, Libc.MADV_DONTDUMP);
        (fault, reason) = (RegionFault.None, "");
        return new MappedRegion(mapping, (nuint)length, (byte*)mapping + lead, identity);
    }

    private readonly record struct FileIdentity(ulong Inode, uint Major, uint Minor)
    {
        public static bool TryGet(FileDescriptor file, out FileIdentity identity, out Libc.Statx status)
        {
            Libc.Statx found;
            bool got = Libc.statx(file.Number, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, &found) == 0;
            (identity, status) = (new FileIdentity(found.Inode, found.DeviceMajor, found.DeviceMinor), found);
            return got;
        }
    }
}
