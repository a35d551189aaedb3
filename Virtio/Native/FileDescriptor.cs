using Microsoft.Win32.SafeHandles;

namespace InterGuest.Virtio.Native;

/// <summary>Owns one file descriptor and closes it, whatever happens.</summary>
public sealed class FileDescriptor : SafeHandleMinusOneIsInvalid
{
    /// <summary>Takes over <paramref name="fd"/>.</summary>
    internal FileDescriptor(int fd)
        : base(ownsHandle: true) => SetHandle(fd);

    /// <summary>The number, for calls of the owner; -1 once closed.</summary>
    internal int Number => IsClosed ? -1 : (int)handle;

    /// <summary>A second descriptor of the same open file, owned apart from this one.</summary>
    /// <exception cref="NativeException">No descriptor is left.</exception>
    public FileDescriptor Duplicate() =>
        new(Libc.Check(Libc.fcntl(Number, Libc.F_DUPFD_CLOEXEC, 0), "duplicate a file descriptor"));

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
}
