using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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

    private static readonly (int Setup, int Submit, int GetEvents) Calls = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => (206, 209, 208),
        Architecture.Arm64 => (0, 2, 4),
        _ => (-1, -1, -1),
    };

    private static readonly FileDescriptor Empty = MemFd.Create("interguest-nothing", 0);
    private static readonly nuint Context = Setup();

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

    private static nuint Setup()
    {
        nuint context = 0;
        return Calls.Setup >= 0 && Libc.syscall(Calls.Setup, Requests, (nint)(&context), 0, 0, 0) == 0 ? context : 0;
    }

    private static bool Submit(int eventfd)
    {
        byte nothing;
        Request request = default;
        (request.Operation, request.File, request.Buffer, request.Bytes) = (Read, Empty.Number, (ulong)&nothing, 1);
        (request.Flags, request.EventFd) = (SignalEventFd, eventfd);
        Request* one = &request;
        return Libc.syscall(Calls.Submit, (nint)Context, 1, (nint)(&one), 0, 0) == 1;
    }

    private static void Reap()
    {
        _rings = 0;
        Completions events;
        Libc.TimeSpec now = default;
        while (Libc.syscall(Calls.GetEvents, (nint)Context, 0, PerReap, (nint)(&events), (nint)(&now)) == PerReap)
            continue;
    }

    private const ushort Read = 0;
    private const uint SignalEventFd = 1;

    /// <summary><c>struct iocb</c>, little-endian.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct Request
    {
        [FieldOffset(16)]
        public ushort Operation;

        [FieldOffset(20)]
        public int File;

        [FieldOffset(24)]
        public ulong Buffer;

        [FieldOffset(32)]
        public ulong Bytes;

        [FieldOffset(56)]
        public uint Flags;

        [FieldOffset(60)]
        public int EventFd;
    }

    /// <summary>So many times <c>struct io_event</c>, of 32 bytes.</summary>
    [InlineArray(PerReap * 4)]
    private struct Completions
    {
        private ulong _first;
    }
}
