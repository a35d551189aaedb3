using System.Runtime.CompilerServices;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// The short way of frames from a transmit queue to a receive queue: those in one descriptor, into one buffer of one
/// descriptor, which are nearly all, and those in some pieces, into as many buffers as they take. Makes every check that the
/// long way makes, and leaves what it cannot do, or what is wrong in any way, untouched for it.
/// </summary>
/// <param name="source">A transmit queue.</param>
/// <param name="sourceHeader">Bytes of the header in front of its frames.</param>
/// <param name="target">A receive queue.</param>
/// <param name="targetHeader">Bytes of the header there.</param>
/// <param name="mergeable">Whether a frame may fill several buffers there.</param>
/// <param name="offloads">Receive features that frames may need.</param>
/// <param name="maxFrame">The longest frame; longer ones need a closer look.</param>
public sealed unsafe class FramePump(
    DeviceQueue source, int sourceHeader, DeviceQueue target, int targetHeader, bool mergeable, ulong offloads, uint maxFrame)
{
    /// <summary>Pieces of a frame, and buffers that it fills: 64 KiB in pieces of 2 KiB, and a header apart.</summary>
    private const int MostPieces = 48;

    /// <summary>Frames in one descriptor that are looked at before the first is copied.</summary>
    private const int Together = 16;

    /// <summary>So few frames at once have somebody wait for each.</summary>
    private const int Few = 4;

    /// <summary>Bytes of a buffer that are claimed before they are written: those that a driver may have looked at, and some more.</summary>
    private const uint Claimed = 512;

    private readonly int _mostBuffers = mergeable ? MostPieces : 1;

    // The last time it moved as much as it might: the sender is ahead of us.
    private bool _behind;

    // Bytes that the next frame is likely to take; 0: nobody waits for it.
    private uint _likely;

    /// <summary>Whether it moved a few frames, which is all that there is: to look for more would keep somebody waiting for them.</summary>
    public bool MovedAll { get; private set; }

    /// <summary>Moves frames until one is not for it.</summary>
    /// <param name="most">No more once it has moved so many frames, or so many bytes, or so many descriptors.</param>
    /// <returns>What it moved; neither side sees it before it is published.</returns>
    public FrameTally Move(FrameTally most) => (source, target) switch
    {
        (SplitQueue s, SplitQueue t) => Move(new SplitLane(s), new SplitLane(t), most),
        (SplitQueue s, PackedQueue t) => Move(new SplitLane(s), new PackedLane(t), most),
        (PackedQueue s, SplitQueue t) => Move(new PackedLane(s), new SplitLane(t), most),
        (PackedQueue s, PackedQueue t) => Move(new PackedLane(s), new PackedLane(t), most),
        _ => throw new InvalidOperationException("A format of queue that nobody made."),
    };

    /// <summary>
    /// Until the next frame comes, the memory that it will go to is claimed, if somebody waits for it: it is likely to be as long. To be
    /// done once the last is shown to its receiver, who would wait for this as well.
    /// </summary>
    public void ClaimNext()
    {
        if (_likely > 0)
            target.ClaimNext(_likely);
        _likely = 0;
    }

    [SkipLocalsInit]
    private FrameTally Move<TSource, TTarget>(TSource from, TTarget to, FrameTally most)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        Unsafe.SkipInit(out PlainFrames room);
        Span<Plain> frames = room;
        var moved = default(FrameTally);
        MovedAll = false;
        while (!moved.Reaches(most))
        {
            var known = (from.Known, to.Known);
            int taken = TakePlain(from, to, frames, most, ref moved);
            int put = PutPlain(from, to, frames[..taken]);
            if (put < taken || taken == 0)
            {
                UntakePlain(from, to, frames[put..taken], ref moved, known);
                if (!TryMovePieces(from, to, most, ref moved))
                    break;
            }
            MovedAll = moved.Frames <= Few && source.IsEmpty;
            if (MovedAll)
                break;
        }
        _behind = moved.Reaches(most);
        if (moved.Frames > 0)
            _likely = moved.Frames <= Few ? (uint)targetHeader + (uint)(moved.Bytes / moved.Frames) : 0;
        return moved;
    }

    /// <summary>
    /// Takes frames in one descriptor, and a buffer of one descriptor for each. The frames' beginnings are fetched: all of them
    /// are on their way at once while the next are looked at; and the buffers', where frames have to wait for us.
    /// </summary>
    /// <returns>How many, until one is not for it.</returns>
    private int TakePlain<TSource, TTarget>(TSource from, TTarget to, Span<Plain> frames, in FrameTally most, ref FrameTally moved)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        int limit = Math.Min(most.Frames - moved.Frames, (most.Descriptors - moved.Descriptors + 1) / 2);
        int ready = from.Ready(Math.Min(frames.Length, limit));
        if (ready > 0)
            ready = to.Ready(ready);
        if (ready == 0)
            return 0;
        // One side after the other: what a loop needs has room in the registers then.
        int found = TakeFrames(from, frames[..ready]);
        int taken = TakeRooms(to, frames[..found], most.Bytes - moved.Bytes, ref moved);
        for (int i = taken; i < found; i++)
            from.Untake(frames[i].Chain);
        return taken;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int TakeFrames<TSource>(TSource from, Span<Plain> frames) where TSource : struct, IFrameLane
    {
        int taken = 0;
        for (; taken < frames.Length; taken++)
        {
            if (!from.TryPeek(taken, 0, out byte* start, out uint length, out var chain) || length < (uint)(sourceHeader + NetHeader.MinFrame)
                || length - (uint)sourceHeader > maxFrame)
                break;
            from.Mark(chain);
            CacheLines.FetchTwo(start);
            ref var frame = ref frames[taken];
            (frame.Bytes, frame.Chain) = (length - (uint)sourceHeader, chain);
            frame.Start = start;
        }
        from.Take(taken);
        return taken;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int TakeRooms<TTarget>(TTarget to, Span<Plain> frames, long most, ref FrameTally moved) where TTarget : struct, IFrameLane
    {
        int taken = 0;
        long bytes = 0;
        for (; taken < frames.Length && bytes < most; taken++)
        {
            ref var frame = ref frames[taken];
            if (!to.TryPeek(taken, Descriptor.Write, out byte* room, out uint size, out var buffer) || size < (uint)targetHeader
                || size - (uint)targetHeader < frame.Bytes)
                break;
            to.Mark(buffer);
            frame.Buffer = buffer;
            frame.Room = room;
            // Where frames do not wait, the sender is the limit, and it was slower with lines taken from it early.
            if (_behind)
                CacheLines.Claim(room + targetHeader, Math.Min(frame.Bytes, Claimed));
            bytes += frame.Bytes;
        }
        to.Take(taken);
        moved.Add(taken, bytes, descriptors: 2 * taken);
        return taken;
    }

    /// <summary>Copies frames that were taken, and gives them back.</summary>
    /// <returns>How many, until the header of one asks for more than this way can do.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int PutPlain<TSource, TTarget>(TSource from, TTarget to, Span<Plain> frames)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        int put = 0;
        for (; put < frames.Length; put++)
        {
            ref readonly var frame = ref frames[put];
            ulong asked = Unsafe.ReadUnaligned<ulong>(frame.Start);
            if ((asked & NetHeader.Asks) == 0)
                NetHeader.Write(frame.Room, targetHeader, 0, 0, buffers: 1);
            else if (!TryWriteOffloads(asked, frame))
                break;
            GuestCopy.Move(frame.Start + sourceHeader, frame.Room + targetHeader, frame.Bytes);
            to.AddUsed(frame.Buffer, (uint)targetHeader + frame.Bytes);
            from.AddUsed(frame.Chain, 0);
        }
        return put;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void UntakePlain<TSource, TTarget>(TSource from, TTarget to, ReadOnlySpan<Plain> frames, ref FrameTally moved, (ushort From, ushort To) known)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        foreach (ref readonly var frame in frames)
        {
            from.Untake(frame.Chain);
            to.Untake(frame.Buffer);
            moved.Remove(frame.Bytes, descriptors: 2);
        }
        from.Unlook(known.From);
        to.Unlook(known.To);
    }

    /// <summary>Frames in pieces, or that take several buffers, until one is not for it. False: not even the first is.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryMovePieces<TSource, TTarget>(TSource from, TTarget to, in FrameTally most, ref FrameTally moved)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        var copies = new CopyBatch(stackalloc CopyBatch.Entry[CopyBatch.Room]);
        int before = moved.Frames;
        while (!moved.Reaches(most) && TryPutOff(from, to, ref copies, ref moved))
            ;
        copies.Run();
        return moved.Frames > before;
    }

    /// <summary>A frame in pieces: all that is to be done, but for the copies.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryPutOff<TSource, TTarget>(TSource from, TTarget to, ref CopyBatch copies, ref FrameTally moved)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        Unsafe.SkipInit(out Pieces piecesRoom);
        Unsafe.SkipInit(out Pieces roomsRoom);
        Unsafe.SkipInit(out Tickets chainsRoom);
        Span<Segment> pieces = piecesRoom, rooms = roomsRoom;
        Span<ChainTicket> chains = chainsRoom;
        if (!from.TryPeekPieces(pieces, out int count, out ulong length, out var chain)
            || length < (ulong)(sourceHeader + NetHeader.MinFrame) || pieces[0].Length < (uint)sourceHeader)
            return false;
        ulong frameBytes = length - (ulong)sourceHeader;
        if (frameBytes > maxFrame || !TryReadHeader(pieces[0].Start, (uint)frameBytes, out ulong low, out ushort offset))
            return false;
        uint left = (uint)frameBytes + (uint)targetHeader;
        int buffers = to.TakeRooms(left, (uint)targetHeader, rooms[.._mostBuffers], chains);
        if (buffers == 0)
            return false;
        NetHeader.Store(rooms[0].Start, targetHeader, low, offset, (ushort)buffers);
        for (int i = 0; i < buffers; i++)
        {
            uint written = Math.Min(rooms[i].Length, left);
            to.AddUsed(chains[i], written);
            left -= written;
        }
        pieces[0].Skip((uint)sourceHeader);
        rooms[0].Skip((uint)targetHeader);
        copies.Add(pieces[..count], rooms[..buffers], (uint)frameBytes);
        from.Mark(chain);
        from.Take(chain.Slots);
        from.AddUsed(chain, 0);
        moved.Add(1, (uint)frameBytes, count + buffers);
        return true;
    }

    /// <summary>Writes the header of a frame that asks for something, if it is for this way.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryWriteOffloads(ulong asked, in Plain frame)
    {
        if (!TryReadOffloads(asked, Unsafe.ReadUnaligned<ushort>(frame.Start + sizeof(ulong)), frame.Bytes, out var header))
            return false;
        NetHeader.Write(frame.Room, targetHeader, header.Low, header.ChecksumOffset, buffers: 1);
        return true;
    }

    /// <summary>Reads the header once; most frames ask for nothing.</summary>
    /// <param name="start">The header.</param>
    /// <param name="frameBytes">Of the frame behind it.</param>
    /// <param name="low">The first eight bytes of what the receiver may believe.</param>
    /// <param name="offset">The two behind them.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryReadHeader(byte* start, uint frameBytes, out ulong low, out ushort offset)
    {
        ulong asked = Unsafe.ReadUnaligned<ulong>(start);
        (low, offset) = (0, 0);
        if ((asked & NetHeader.Asks) == 0)
            return true;
        bool good = TryReadOffloads(asked, Unsafe.ReadUnaligned<ushort>(start + sizeof(ulong)), frameBytes, out var header);
        (low, offset) = (header.Low, header.ChecksumOffset);
        return good;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryReadOffloads(ulong low, ushort offset, uint frameBytes, out NetHeader header)
    {
        header = NetHeader.From(low, offset);
        return header.TrySanitize(frameBytes) && (header.NeededToReceive() & ~offloads) == 0;
    }

    /// <summary>A frame in one descriptor, and the buffer that it goes to.</summary>
    private struct Plain
    {
        internal byte* Start, Room;
        internal uint Bytes;
        internal ChainTicket Chain, Buffer;
    }

    [InlineArray(MostPieces)]
    private struct Pieces
    {
        private Segment _first;
    }

    [InlineArray(MostPieces)]
    private struct Tickets
    {
        private ChainTicket _first;
    }

    [InlineArray(Together)]
    private struct PlainFrames
    {
        private Plain _first;
    }
}
