using InterGuest.Virtio.Devices;
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
    private readonly (ChainTicket Chain, uint Written)[] _taken = end.Mergeable ? new (ChainTicket, uint)[end.Queue.Size] : [];

    /// <summary>What was done since this was set to 0, in units of <see cref="WorkCost"/>, without the copying.</summary>
    public int Work { get; set; }

    /// <summary>Copies a frame, once, with a header in front that this receiver understands.</summary>
    /// <param name="header">Checked already.</param>
    /// <param name="frame">The frame behind the sender's header.</param>
    public PutResult Put(in NetHeader header, FrameSource frame)
    {
        for (int attempt = 0; attempt < Patience; attempt++)
        {
            var pop = Pop(_first, out var before);
            if (pop != PopResult.Chain)
                return pop == PopResult.Empty ? PutResult.NoBuffers : PutResult.Fault;
            if (end.Mergeable)
            {
                if (PutMerged(header, frame, before) is { } result)
                    return result;
                continue; // the guest spoilt the buffers in between: those are given back empty, the next ones come
            }
            if (frame.Length > _first.WritableBytes - (ulong)end.HeaderBytes)
            {
                end.Queue.Rewind(before);
                return PutResult.TooLong;
            }
            end.Queue.AddUsed(_first.Ticket, Fill(header, ref frame));
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
    /// <param name="chain">Loaded with it.</param>
    /// <param name="before">The position in front of it, behind those given back.</param>
    private PopResult Pop(Chain chain, out QueuePosition before)
    {
        before = default;
        for (int attempt = 0; attempt < Patience; attempt++)
        {
            before = end.Queue.Position;
            var result = TryPop(chain);
            if (result is PopResult.Empty or PopResult.BadRing)
                return result;
            if (result == PopResult.Chain && chain.WritableBytes >= (ulong)end.HeaderBytes)
                return result;
            GiveBackEmpty(chain.Ticket, result == PopResult.BadChain ? end.Queue.Fault : QueueFault.BufferTooSmall);
        }
        return PopResult.Empty;
    }

    private PopResult TryPop(Chain chain)
    {
        var result = end.Queue.TryPop(chain);
        if (result is PopResult.Chain or PopResult.BadChain)
        {
            Work += WorkCost.Of(chain, 0);
            Join.CountOddities(chain, end.Counters);
        }
        return result;
    }

    /// <summary>Null: a chain in the middle was bad, and all taken so far are given back empty.</summary>
    private PutResult? PutMerged(in NetHeader header, FrameSource frame, QueuePosition before)
    {
        _taken[0] = (_first.Ticket, Fill(header, ref frame));
        int count = 1;
        while (frame.Length > 0)
        {
            var pop = count < end.Queue.Size ? TryPop(_next) : PopResult.Empty;
            if (pop == PopResult.Chain && _next.WritableBytes > 0)
            {
                var room = _next.Writable;
                uint copied = frame.CopyTo(ref room);
                end.Queue.Log?.Wrote(_next.Writable, copied);
                _taken[count++] = (_next.Ticket, copied);
                continue;
            }
            if (pop is PopResult.Empty or PopResult.BadRing)
            {
                end.Queue.Rewind(before);
                return pop == PopResult.BadRing ? PutResult.Fault
                    : count == end.Queue.Size ? PutResult.TooLong : PutResult.NoBuffers;
            }
            foreach (var (chain, _) in _taken.AsSpan(0, count))
                end.Queue.AddUsed(chain, 0);
            GiveBackEmpty(_next.Ticket, pop == PopResult.BadChain ? end.Queue.Fault : QueueFault.BufferTooSmall);
            return null;
        }
        if (count > 1)
            WriteBufferCount((ushort)count);
        foreach (var (chain, written) in _taken.AsSpan(0, count))
            end.Queue.AddUsed(chain, written);
        return PutResult.Delivered;
    }

    /// <summary>Fills the first chain. Returns the bytes written.</summary>
    private uint Fill(in NetHeader header, scoped ref FrameSource frame)
    {
        Span<byte> bytes = stackalloc byte[NetHeader.Bytes];
        header.Write(bytes, buffers: 1);
        var room = _first.Writable;
        room.Write(bytes[..end.HeaderBytes]);
        uint written = (uint)end.HeaderBytes + frame.CopyTo(ref room);
        end.Queue.Log?.Wrote(_first.Writable, written);
        return written;
    }

    private void WriteBufferCount(ushort count)
    {
        var place = _first.Writable;
        place.Advance(NetHeader.BuffersOffset);
        place.Write([(byte)count, (byte)(count >> 8)]);
        end.Queue.Log?.Wrote(_first.Writable, NetHeader.Bytes);
    }

    private void GiveBackEmpty(ChainTicket chain, QueueFault fault)
    {
        end.Queue.AddUsed(chain, 0);
        end.Counters.Faulted(fault);
    }
}
