using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>What became of a frame at the receiver.</summary>
public enum PutResult
{
    /// <summary>It is in the receiver's buffers.</summary>
    Delivered,

    /// <summary>The receiver has not enough free buffers now; nothing was given back to it.</summary>
    NoBuffers,

    /// <summary>The receiver's buffers can never hold it.</summary>
    TooLong,

    /// <summary>The receiver broke the rules of its ring.</summary>
    Fault,
}

/// <summary>Puts frames into the receive buffers of a guest (VIRTIO 1.2, 5.1.6.3 and 5.1.6.4).</summary>
public sealed class FrameSink(QueueEnd end) : IDisposable
{
    /// <summary>
    /// Bad chains to put up with for one frame. A driver may make them as fast as we give them back, and others wait.
    /// </summary>
    private const int Patience = 64;

    // The chain with the header, which gets the number of buffers at the end, and the one being filled.
    private readonly Chain _first = new();
    private readonly Chain _next = new();
    private readonly ushort[] _taken = end.Mergeable ? new ushort[end.Queue.Size] : [];

    /// <summary>Copies a frame, once, with a header in front that this receiver understands.</summary>
    /// <param name="header">Checked already.</param>
    /// <param name="frame">The frame behind the sender's header.</param>
    public PutResult Put(in NetHeader header, SegmentCursor frame)
    {
        for (int attempt = 0; attempt < Patience; attempt++)
        {
            var pop = Pop(_first);
            if (pop != PopResult.Chain)
                return pop == PopResult.Empty ? PutResult.NoBuffers : PutResult.Fault;
            if (end.Mergeable)
            {
                if (PutMerged(header, frame) is { } result)
                    return result;
                continue; // the guest spoilt the buffers in between: those are given back empty, the next ones come
            }
            if (frame.Remaining > _first.WritableBytes - (ulong)end.HeaderBytes)
            {
                end.Queue.UndoPop(1);
                return PutResult.TooLong;
            }
            Fill(_first, header, ref frame);
            return PutResult.Delivered;
        }
        return PutResult.NoBuffers;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _first.Dispose();
        _next.Dispose();
    }

    /// <summary>The next chain that can hold at least a header. Others are given back empty, and counted.</summary>
    private PopResult Pop(Chain chain)
    {
        for (int attempt = 0; attempt < Patience; attempt++)
        {
            var result = end.Queue.TryPop(chain);
            if (result is PopResult.Empty or PopResult.BadRing)
                return result;
            if (result == PopResult.Chain && chain.WritableBytes >= (ulong)end.HeaderBytes)
                return result;
            GiveBackEmpty(chain.Head, result == PopResult.BadChain ? end.Queue.Fault : QueueFault.BufferTooSmall);
        }
        return PopResult.Empty;
    }

    /// <summary>Null: a chain in the middle was bad, and all taken so far are given back empty.</summary>
    private PutResult? PutMerged(in NetHeader header, SegmentCursor frame)
    {
        Fill(_first, header, ref frame);
        int count = 1;
        _taken[0] = _first.Head;
        while (frame.Remaining > 0)
        {
            var pop = count < end.Queue.Size ? end.Queue.TryPop(_next) : PopResult.Empty;
            if (pop == PopResult.Chain && _next.WritableBytes > 0)
            {
                var room = _next.Writable;
                end.Queue.AddUsed(_next.Head, (uint)GuestCopy.Copy(ref frame, ref room, frame.Remaining));
                _taken[count++] = _next.Head;
                continue;
            }
            end.Queue.UndoUsed(count);
            if (pop is PopResult.Empty or PopResult.BadRing)
            {
                end.Queue.UndoPop(count);
                return pop == PopResult.BadRing ? PutResult.Fault
                    : count == end.Queue.Size ? PutResult.TooLong : PutResult.NoBuffers;
            }
            foreach (ushort head in _taken.AsSpan(0, count))
                end.Queue.AddUsed(head, 0);
            GiveBackEmpty(_next.Head, pop == PopResult.BadChain ? end.Queue.Fault : QueueFault.BufferTooSmall);
            return null;
        }
        if (count > 1)
            WriteBufferCount((ushort)count);
        return PutResult.Delivered;
    }

    private void Fill(Chain chain, in NetHeader header, ref SegmentCursor frame)
    {
        Span<byte> bytes = stackalloc byte[NetHeader.Bytes];
        header.Write(bytes, buffers: 1);
        var room = chain.Writable;
        room.Write(bytes[..end.HeaderBytes]);
        ulong copied = GuestCopy.Copy(ref frame, ref room, frame.Remaining);
        end.Queue.AddUsed(chain.Head, (uint)end.HeaderBytes + (uint)copied);
    }

    private void WriteBufferCount(ushort count)
    {
        var place = _first.Writable;
        place.Advance(NetHeader.BuffersOffset);
        place.Write([(byte)count, (byte)(count >> 8)]);
    }

    private void GiveBackEmpty(ushort head, QueueFault fault)
    {
        end.Queue.AddUsed(head, 0);
        end.Counters.Faulted(fault);
    }
}
