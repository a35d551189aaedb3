using System.Text;

namespace InterGuest.Virtio.Native;

/// <summary>
/// An eventfd: the doorbell between a driver and a device. As <em>kick</em> the driver rings it, as <em>call</em> we do.
/// </summary>
public sealed class EventFd : IDisposable
{
    private readonly FileDescriptor _fd;
    private readonly bool _foreign;

    private EventFd(FileDescriptor fd, bool foreign) => (_fd, _foreign) = (fd, foreign);

    /// <summary>The descriptor, still owned by this object: to be watched by a <see cref="Poller"/> or sent to a peer.</summary>
    public FileDescriptor Descriptor => _fd;

    /// <summary>A new eventfd with its count at zero.</summary>
    /// <exception cref="NativeException">No descriptor is left.</exception>
    public static EventFd Create() =>
        new(new FileDescriptor(Libc.Check(Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK), "eventfd")), foreign: false);

    /// <summary>Takes over a descriptor received from a peer if it is an eventfd; else leaves it to the caller.</summary>
    /// <returns>Null if it is anything else: a pipe or a terminal could block us, or be somebody's file.</returns>
    public static unsafe EventFd? TryAdopt(FileDescriptor fd)
    {
        Span<byte> target = stackalloc byte[64];
        nint length;
        fixed (byte* p = target)
            length = Libc.readlink($"/proc/self/fd/{fd.Number}", p, (nuint)target.Length);
        if (length < 0 || Encoding.ASCII.GetString(target[..(int)length]) != "anon_inode:[eventfd]")
            return null;
        // A full count must make a read or write fail, never wait; the peer can clear that again, see Signal.
        int flags = Libc.fcntl(fd.Number, Libc.F_GETFL, 0);
        if (flags < 0 || Libc.fcntl(fd.Number, Libc.F_SETFL, flags | Libc.O_NONBLOCK) < 0)
            return null;
        return new EventFd(fd, foreign: true);
    }

    /// <summary>Rings, and never waits. A count that is full already means a ring not yet heard, so that is no error.</summary>
    public unsafe void Signal()
    {
        if (_foreign && KernelSignal.IsAvailable)
        {
            KernelSignal.Ring(_fd.Number);
            return;
        }
        ulong one = 1;
        _ = Libc.write(_fd.Number, &one, sizeof(ulong));
    }

    /// <summary>Sets the count to zero, and returns what it was. For one's own: a peer could make us wait.</summary>
    public unsafe ulong Drain()
    {
        ulong count = 0;
        return Libc.read(_fd.Number, &count, sizeof(ulong)) == sizeof(ulong) ? count : 0;
    }

    /// <inheritdoc/>
    public void Dispose() => _fd.Dispose();
}
