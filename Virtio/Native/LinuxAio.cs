using System.Runtime.InteropServices;

namespace InterGuest.Virtio.Native;

/// <summary>The kernel's asynchronous I/O (io_setup(2) and its like), which the C library does not wrap.</summary>
internal static unsafe class LinuxAio
{
    internal const ushort Read = 0, Write = 1;
    private const uint SignalEventFd = 1;

    private static readonly (int Setup, int Destroy, int Submit, int GetEvents) Calls = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => (206, 207, 209, 208),
        Architecture.Arm64 => (0, 1, 2, 4),
        _ => (-1, -1, -1, -1),
    };

    private static readonly FileDescriptor Empty = MemFd.Create("interguest-nothing", 0);

    /// <summary>Makes a context.</summary>
    /// <param name="requests">That may be on their way at once, at least.</param>
    /// <returns>0: this system has none, or none left (fs.aio-max-nr).</returns>
    internal static nuint Setup(int requests)
    {
        nuint context = 0;
        return Calls.Setup >= 0 && Libc.syscall(Calls.Setup, requests, (nint)(&context), 0, 0, 0) == 0 ? context : 0;
    }

    /// <summary>Waits for what is on its way, and frees the context.</summary>
    internal static void Destroy(nuint context) => Libc.syscall(Calls.Destroy, (nint)context, 0, 0, 0, 0);

    /// <summary>Hands requests to the kernel, which has copied them when this returns.</summary>
    /// <returns>How many it took; less than 1: none, for the first could not be.</returns>
    internal static int Submit(nuint context, AioRequest** requests, int count) => (int)Libc.syscall(Calls.Submit, (nint)context, count, (nint)requests, 0, 0);

    /// <summary>Hands the kernel a read of an empty file, which is over when this returns: for what its end brings about.</summary>
    /// <param name="context">Of the request.</param>
    /// <param name="data">Comes back in its event.</param>
    /// <param name="eventFd">To be rung by its end; null: none.</param>
    /// <returns>Whether it took it.</returns>
    internal static bool SubmitNothing(nuint context, ulong data = 0, int? eventFd = null)
    {
        byte nothing;
        var request = new AioRequest
        {
            Data = data, Operation = Read, File = Empty.Number, Buffer = (ulong)&nothing, Bytes = 1,
            Flags = eventFd == null ? 0 : SignalEventFd, EventFd = eventFd ?? 0,
        };
        AioRequest* one = &request;
        return Submit(context, &one, 1) == 1;
    }

    /// <summary>Takes back what is done.</summary>
    /// <param name="context">Of the requests.</param>
    /// <param name="least">To wait for.</param>
    /// <param name="most">To take.</param>
    /// <param name="events">Room for as many.</param>
    /// <param name="wait">For how long; null: without end.</param>
    /// <returns>How many.</returns>
    internal static int GetEvents(nuint context, int least, int most, AioEvent* events, Libc.TimeSpec* wait) =>
        (int)Libc.syscall(Calls.GetEvents, (nint)context, least, most, (nint)events, (nint)wait);
}

/// <summary><c>struct iocb</c>, little-endian.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct AioRequest
{
    /// <summary>Comes back in its event.</summary>
    [FieldOffset(0)]
    public ulong Data;

    [FieldOffset(16)]
    public ushort Operation;

    [FieldOffset(20)]
    public int File;

    [FieldOffset(24)]
    public ulong Buffer;

    [FieldOffset(32)]
    public ulong Bytes;

    [FieldOffset(40)]
    public long Offset;

    [FieldOffset(56)]
    public uint Flags;

    [FieldOffset(60)]
    public int EventFd;
}

/// <summary><c>struct io_event</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AioEvent
{
    public ulong Data;
    public ulong Request;

    /// <summary>Bytes, or an errno, negative.</summary>
    public long Result;
    public long Result2;
}
