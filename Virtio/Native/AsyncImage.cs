using System.Runtime.CompilerServices;

namespace InterGuest.Virtio.Native;

/// <summary>A read or write that is over.</summary>
/// <param name="Number">By which it was asked for.</param>
/// <param name="Result">Bytes that were moved; an errno, negative.</param>
public readonly record struct ImageCompletion(int Number, long Result);

/// <summary>
/// Reads and writes of an image that go on while others are asked for, without a thread for each (io_submit(2)). For images
/// past the page cache: through it they would be done before the call returns. One thread asks, another waits.
/// </summary>
public sealed unsafe class AsyncImage : IDisposable
{
    private const ulong WakeUp = ulong.MaxValue;
    private const int PerWait = 64;

    private readonly ImageFile _image;
    private readonly nuint _context;

    // Pinned, with a pointer to each of the requests in front of them.
    private readonly AioRequest[] _requests;
    private readonly nint[] _pointers;
    private int _added;

    private AsyncImage(ImageFile image, nuint context, int depth)
    {
        (_image, _context) = (image, context);
        _requests = GC.AllocateArray<AioRequest>(depth, pinned: true);
        _pointers = GC.AllocateArray<nint>(depth, pinned: true);
        for (int i = 0; i < depth; i++)
            _pointers[i] = (nint)Unsafe.AsPointer(ref _requests[i]);
    }

    /// <summary>Makes it for an image.</summary>
    /// <param name="image">Open for longer than this.</param>
    /// <param name="depth">Most reads and writes at once.</param>
    /// <returns>Null: the image is not past the page cache, or this system has no room for so many.</returns>
    public static AsyncImage? TryCreate(ImageFile image, int depth) =>
        image.IsDirect && LinuxAio.Setup(depth + 1) is not 0 and var context ? new AsyncImage(image, context, depth) : null;

    /// <summary>Asks for a read or a write with the next <see cref="Submit"/>.</summary>
    /// <param name="number">By which it comes back; not negative.</param>
    /// <param name="writes">Which of the two.</param>
    /// <param name="data">Memory that no collector moves, and that stays until it is over: whole blocks.</param>
    /// <param name="offset">Where in the image: at a block.</param>
    public void Add(int number, bool writes, Span<byte> data, long offset) => _requests[_added++] = new AioRequest
    {
        Data = (uint)number,
        Operation = writes ? LinuxAio.Write : LinuxAio.Read,
        File = _image.Number,
        Buffer = (ulong)Unsafe.AsPointer(ref data[0]),
        Bytes = (ulong)data.Length,
        Offset = offset,
    };

    /// <summary>Hands what was added to the kernel.</summary>
    /// <param name="refused">Told of each number that it does not take: somebody else must do that.</param>
    public void Submit(Action<int> refused)
    {
        fixed (nint* pointers = _pointers)
        {
            for (int at = 0; at < _added;)
            {
                int taken = LinuxAio.Submit(_context, (AioRequest**)pointers + at, _added - at);
                if (taken < 1)
                    refused((int)_requests[at].Data);
                at += Math.Max(1, taken);
            }
        }
        _added = 0;
    }

    /// <summary>Waits until anything is over, or <see cref="Wake"/>.</summary>
    /// <param name="done">Filled; a few of them are enough.</param>
    /// <returns>How many are filled.</returns>
    public int Wait(Span<ImageCompletion> done)
    {
        AioEvent* events = stackalloc AioEvent[PerWait];
        int count = LinuxAio.GetEvents(_context, 1, Math.Min(done.Length, PerWait), events, null), filled = 0;
        for (int i = 0; i < count; i++)
            if (events[i].Data != WakeUp)
                done[filled++] = new ImageCompletion((int)events[i].Data, events[i].Result);
        return filled;
    }

    /// <summary>Ends a <see cref="Wait"/>, now or the next.</summary>
    // Refused, if there are too many: then one of those will end the wait.
    public void Wake() => LinuxAio.SubmitNothing(_context, WakeUp);

    /// <summary>Waits for what is on its way. While nobody waits.</summary>
    public void Dispose() => LinuxAio.Destroy(_context);
}
