namespace InterGuest.Virtio.Native;

/// <summary>Anonymous memory with a descriptor: what a front-end shares with a back-end.</summary>
public static class MemFd
{
    /// <summary>Makes a file of <paramref name="size"/> zero bytes; sealed against shrinking unless told otherwise.</summary>
    /// <exception cref="NativeException">No memory or no descriptor is left.</exception>
    public static FileDescriptor Create(string name, long size, bool seal = true)
    {
        var fd = new FileDescriptor(Libc.Check(Libc.memfd_create(name, Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING), "memfd_create"));
        try
        {
            Libc.Check(Libc.ftruncate(fd.Number, size), "ftruncate");
            if (seal)
                Libc.Check(Libc.fcntl(fd.Number, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW), "seal a memfd");
            return fd;
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }
}
