using System.Runtime.CompilerServices;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// The short way of frames from a transmit queue to a receive queue: those in one descriptor, into one buffer of one
/// descriptor, which are nearly all. Makes every check that the long way makes, and leaves what it cannot do, or what is
/// wrong in any way, untouched for it.
/// </summary>
/// <param name="source">A transmit queue.</param>
/// <param name="sourceHeader">Bytes of the header in front of its frames.</param>
/// <param name="target">A receive queue.</param>
/// <param name="targetHeader">Bytes of the header there.</param>
/// <param name="offloads">Receive features that frames may need.</param>
/// <param name="maxFrame">The longest frame; longer ones need a closer look.</param>
public sealed unsafe class FramePump(
    DeviceQueue source, int sourceHeader, DeviceQueue target, int targetHeader, ulong offloads, uint maxFrame)
{
    /// <summary>Moves frames until one is not for it.</summary>
    /// <param name="frames">At most so many.</param>
    /// <param name="most">No more once so many bytes were moved.</param>
    /// <param name="bytes">Bytes of those moved, without headers.</param>
    /// <returns>How many it moved; neither side sees them before it is published.</returns>
    public int Move(int frames, long most, out long bytes) => (source, target) switch
    {
        (SplitQueue s, SplitQueue t) => Move(new SplitLane(s), new SplitLane(t), frames, most, out bytes),
        (SplitQueue s, PackedQueue t) => Move(new SplitLane(s), new PackedLane(t), frames, most, out bytes),
        (PackedQueue s, SplitQueue t) => Move(new PackedLane(s), new SplitLane(t), frames, most, out bytes),
        (PackedQueue s, PackedQueue t) => Move(new PackedLane(s), new PackedLane(t), frames, most, out bytes),
        _ => throw new InvalidOperationException("A format of queue that nobody made."),
    };

    private int Move<TSource, TTarget>(TSource from, TTarget to, int frames, long most, out long bytes)
        where TSource : struct, IFrameLane
        where TTarget : struct, IFrameLane
    {
        bytes = 0;
        int moved = 0;
        for (; moved < frames && bytes < most; moved++)
        {
            if (!from.TryPeek(0, out byte* start, out uint length, out var chain) || length < (uint)(sourceHeader + NetHeader.MinFrame))
                return moved;
            uint frameBytes = length - (uint)sourceHeader;
            if (frameBytes > maxFrame || !TryReadHeader(start, frameBytes, out var header))
                return moved;
            if (!TryPut(to, header, start + sourceHeader, frameBytes))
                return moved;
            from.Take(chain);
            from.AddUsed(chain, 0);
            bytes += frameBytes;
        }
        return moved;
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryPut<TTarget>(TTarget to, in NetHeader header, byte* frame, uint left) where TTarget : struct, IFrameLane
    {
        if (!to.TryPeek(Descriptor.Write, out byte* room, out uint size, out var chain) || size < (uint)targetHeader)
            return false;
        uint piece = size - (uint)targetHeader;
        if (left > piece)
            return false;
        header.Write(room, targetHeader, buffers: 1);
        GuestCopy.Move(frame, room + targetHeader, left);
        to.Take(chain);
        to.AddUsed(chain, (uint)targetHeader + left);
        return true;
    }
}
