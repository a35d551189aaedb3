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

    /// <summary>So few frames at once have somebody wait for each.</summary>
    private const int Few = 4;

    private readonly int _mostBuffers = mergeable ? MostPieces : 1;

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

    private FrameTally Move<TSource, TTarget>(TSource from, TTarget to, FrameTally most)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        var moved = default(FrameTally);
        while (!moved.Reaches(most))
            if (!TryMovePlain(from, to, ref moved) && !TryMovePieces(from, to, most, ref moved))
                break;
        // Until the next frame comes, the memory that it will go to: it is likely to be as long.
        if (moved.Frames is > 0 and <= Few)
            to.FetchNext((uint)targetHeader + (uint)(moved.Bytes / moved.Frames));
        return moved;
    }

    /// <summary>A frame in one descriptor, into one buffer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryMovePlain<TSource, TTarget>(TSource from, TTarget to, ref FrameTally moved)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        if (!from.TryPeek(0, out byte* start, out uint length, out var chain) || length < (uint)(sourceHeader + NetHeader.MinFrame))
            return false;
        uint frameBytes = length - (uint)sourceHeader;
        if (frameBytes > maxFrame || !TryReadHeader(start, frameBytes, out var header))
            return false;
        if (!to.TryPeek(Descriptor.Write, out byte* room, out uint size, out var buffer) || size < (uint)targetHeader
            || size - (uint)targetHeader < frameBytes)
            return false;
        header.Write(room, targetHeader, buffers: 1);
        GuestCopy.Move(start + sourceHeader, room + targetHeader, frameBytes);
        to.Take(buffer);
        to.AddUsed(buffer, (uint)targetHeader + frameBytes);
        from.Take(chain);
        from.AddUsed(chain, 0);
        moved.Add(frameBytes, descriptors: 2);
        return true;
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
        Span<Segment> pieces = stackalloc Segment[MostPieces], rooms = stackalloc Segment[MostPieces];
        Span<ChainTicket> tickets = stackalloc ChainTicket[MostPieces];
        if (!from.TryPeekPieces(pieces, out int count, out ulong length, out var chain)
            || length < (ulong)(sourceHeader + NetHeader.MinFrame) || pieces[0].Length < (uint)sourceHeader)
            return false;
        ulong frameBytes = length - (ulong)sourceHeader;
        if (frameBytes > maxFrame || !TryReadHeader(pieces[0].Start, (uint)frameBytes, out var header))
            return false;
        int buffers = TakeBuffers(to, (uint)frameBytes + (uint)targetHeader, rooms, tickets);
        if (buffers == 0)
            return false;

        header.Write(rooms[0].Start, targetHeader, (ushort)buffers);
        pieces[0].Skip((uint)sourceHeader);
        rooms[0].Skip((uint)targetHeader);
        var left = (uint)frameBytes;
        for (int piece = 0, buffer = 0; buffer < buffers; buffer++)
        {
            uint size = Math.Min(rooms[buffer].Length, left);
            left -= size;
            byte* room = rooms[buffer].Start;
            for (byte* end = room + size; room < end;)
            {
                if (pieces[piece].Length == 0)
                    piece++;
                uint run = (uint)Math.Min(pieces[piece].Length, end - room);
                copies.Add(pieces[piece].Start, room, run);
                pieces[piece].Skip(run);
                room += run;
            }
            to.AddUsed(tickets[buffer], buffer == 0 ? size + (uint)targetHeader : size);
        }
        from.Take(chain);
        from.AddUsed(chain, 0);
        moved.Add((uint)frameBytes, count + buffers);
        return true;
    }

    /// <summary>Takes as many buffers as hold so many bytes, of which the first holds the header; or none, if there are not.</summary>
    private int TakeBuffers<TTarget>(TTarget to, uint bytes, Span<Segment> rooms, Span<ChainTicket> tickets) where TTarget : struct, IFrameLane
    {
        var before = to.Position;
        uint least = (uint)targetHeader;
        int buffers = 0;
        for (; buffers < _mostBuffers; least = 1)
        {
            if (!to.TryPeek(Descriptor.Write, out byte* room, out uint size, out var ticket) || size < least)
                break;
            to.Take(ticket);
            rooms[buffers].Set(room, size);
            tickets[buffers++] = ticket;
            if (bytes <= size)
                return buffers;
            bytes -= size;
        }
        to.Untake(tickets[..buffers], before);
        return 0;
    }

    /// <summary>Reads the header once; most frames ask for nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryReadHeader(byte* start, uint frameBytes, out NetHeader header)
    {
        ulong low = Unsafe.ReadUnaligned<ulong>(start);
        ushort offset = Unsafe.ReadUnaligned<ushort>(start + sizeof(ulong));
        header = default;
        return (low & 0xffff) == 0 || TryReadOffloads(low, offset, frameBytes, out header);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryReadOffloads(ulong low, ushort offset, uint frameBytes, out NetHeader header)
    {
        header = NetHeader.From(low, offset);
        return header.TrySanitize(frameBytes) && (header.NeededToReceive() & ~offloads) == 0;
    }
}
