namespace InterGuest.Virtio.Native;

/// <summary>
/// Rings eventfds that a hostile peer has, too, and never waits. A write(2) to an eventfd waits while its count is full,
/// unless O_NONBLOCK is set; but that flag belongs to the open file, which the peer shares and may clear between our look and
/// our write. So the kernel rings in our place: it does so for whoever completes an asynchronous read (io_submit(2) with
/// IOCB_FLAG_RESFD), and then a full count stays full.
/// </summary>
/// <remarks>The read is of an empty file, and is over when io_submit returns. About 0.4 microseconds more than a write.</remarks>
internal static unsafe class KernelSignal
{
    private const int Requests = 256;

    /// <summary>Completions are taken back in bulk: one call for so many rings of a thread.</summary>
    private const int ReapEvery = 16, PerReap = 32;

    private static readonly nuint Context = LinuxAio.Setup(Requests);

    [ThreadStatic]
    private static int _rings;

    /// <summary>Whether this system can do it. If not, <see cref="EventFd"/> writes, and relies on O_NONBLOCK.</summary>
    public static bool IsAvailable => Context != 0;

    /// <summary>Adds one to an eventfd's count, or leaves it full.</summary>
    public static void Ring(int eventfd)
    {
        if (++_rings >= ReapEvery)
            Reap();
        if (Submit(eventfd) || Libc.LastError != Libc.EAGAIN)
            return;
        Reap(); // other threads have left theirs
        Submit(eventfd);
    }

    private static bool Submit(int eventfd) => LinuxAio.SubmitNothing(Context, eventFd: eventfd);

    private static void Reap()
    {
        _rings = 0;
        AioEvent* events = stackalloc AioEvent[PerReap];
        Libc.TimeSpec now = default;
        while (LinuxAio.GetEvents(Context, 0, PerReap, events, &now) == PerReap)
            continue;
    }
}
