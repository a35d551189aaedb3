using System.Buffers.Binary;
using InterGuest.Fuzz.Guests;
using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Model;

/// <summary>One end of a <see cref="ReferenceJoin"/>.</summary>
/// <param name="Arena">The guest's memory.</param>
/// <param name="Queue">Its queue.</param>
/// <param name="HeaderBytes">Of the header in front of each frame.</param>
internal sealed record ReferenceEnd(Arena Arena, ReferenceQueue Queue, int HeaderBytes)
{
    /// <summary>Chains that broke a rule, or were too small to receive into.</summary>
    public long Faults { get; set; }
}

/// <summary>
/// One direction of a link, frame by frame, as VIRTIO 1.2, 5.1.6, and the design say, for two guests whose offloads fit: what
/// is delivered where, what is dropped and why.
/// </summary>
/// <param name="source">A transmit queue.</param>
/// <param name="target">A receive queue.</param>
/// <param name="offloads">Whether the sender may leave checksums and segmentation to the receiver.</param>
/// <param name="mergeable">Whether a frame may fill several buffers.</param>
/// <param name="drops">Whether a frame without buffers is dropped at once.</param>
internal sealed class ReferenceJoin(ReferenceEnd source, ReferenceEnd target, bool offloads, bool mergeable, bool drops)
{
    private const int MinFrame = 14, MaxFrame = 65535 + 14 + 8;

    public long Frames { get; private set; }

    public long Bytes { get; private set; }

    public Dictionary<DropReason, long> Drops { get; } = [];

    /// <summary>Takes frames until something ends the turn.</summary>
    /// <param name="budget">At most so many.</param>
    /// <param name="late">How many a sender that polls sees late, if it has nothing to wait for.</param>
    public TransferResult Transfer(int budget, int late)
    {
        var result = TransferResult.More;
        while (budget-- > 0 && result == TransferResult.More)
            result = One();
        target.Queue.Publish();
        source.Queue.Publish(result is TransferResult.More or TransferResult.SourceEmpty ? late : 0);
        return result;
    }

    private TransferResult One()
    {
        var before = source.Queue.Mark;
        var pop = source.Queue.Pop(out ushort head, out var chain);
        if (pop is PopResult.Empty or PopResult.BadRing)
            return pop == PopResult.Empty ? TransferResult.SourceEmpty : TransferResult.SourceFault;
        if (pop == PopResult.BadChain)
        {
            source.Faults++;
            return Drop(head, DropReason.BadChain);
        }
        byte[] bytes = chain!.ReadableBytes <= MaxFrame + source.HeaderBytes ? chain.Read(chain.Readable) : new byte[MaxFrame + 100];
        if (bytes.Length < source.HeaderBytes + MinFrame)
            return Drop(head, DropReason.TooShort);
        if (bytes.Length - source.HeaderBytes > MaxFrame)
            return Drop(head, DropReason.TooLong);
        if (Sanitize(bytes.AsSpan(0, source.HeaderBytes), bytes.Length - source.HeaderBytes) is not { } header)
            return Drop(head, DropReason.BadHeader);
        var put = Put(header, bytes.AsSpan(source.HeaderBytes));
        if (put == PutResult.Delivered)
        {
            source.Queue.Use(head, 0);
            Frames++;
            Bytes += bytes.Length - source.HeaderBytes;
            return TransferResult.More;
        }
        if (put == PutResult.TooLong || (put == PutResult.NoBuffers && drops))
            return Drop(head, put == PutResult.TooLong ? DropReason.TooLongForReceiver : DropReason.NoBuffers);
        source.Queue.Rewind(before);
        return put == PutResult.NoBuffers ? TransferResult.TargetEmpty : TransferResult.TargetFault;
    }

    private TransferResult Drop(ushort head, DropReason reason)
    {
        source.Queue.Use(head, 0);
        Drops[reason] = Drops.GetValueOrDefault(reason) + 1;
        return TransferResult.More;
    }

    /// <summary>5.1.6.2: what a driver may say in a header, for the receiver to read; null if it is wrong.</summary>
    private byte[]? Sanitize(ReadOnlySpan<byte> header, int length)
    {
        int flags = header[0] & 1, gso = header[1];
        int headerLength = BinaryPrimitives.ReadUInt16LittleEndian(header[2..]), gsoSize = BinaryPrimitives.ReadUInt16LittleEndian(header[4..]);
        int start = BinaryPrimitives.ReadUInt16LittleEndian(header[6..]), offset = BinaryPrimitives.ReadUInt16LittleEndian(header[8..]);
        bool checksum = flags != 0, segments = gso != 0;
        if ((checksum || segments) && !offloads)
            return null;
        if (checksum && start + offset + 2 > length)
            return null;
        if (segments && (gso is not (1 or 4) || !checksum || gsoSize == 0 || headerLength > length))
            return null;
        byte[] clean = new byte[12];
        (clean[0], clean[1]) = ((byte)flags, (byte)gso);
        BinaryPrimitives.WriteUInt16LittleEndian(clean.AsSpan(2), (ushort)(segments ? headerLength : 0));
        BinaryPrimitives.WriteUInt16LittleEndian(clean.AsSpan(4), (ushort)(segments ? gsoSize : 0));
        BinaryPrimitives.WriteUInt16LittleEndian(clean.AsSpan(6), (ushort)(checksum ? start : 0));
        BinaryPrimitives.WriteUInt16LittleEndian(clean.AsSpan(8), (ushort)(checksum ? offset : 0));
        clean[10] = 1;
        return clean;
    }

    /// <summary>5.1.6.3, 5.1.6.4: a frame into the next buffers that are good for it.</summary>
    private PutResult Put(byte[] header, ReadOnlySpan<byte> frame)
    {
        while (true)
        {
            var before = target.Queue.Mark;
            var pop = target.Queue.Pop(out ushort head, out var chain);
            if (pop is PopResult.Empty or PopResult.BadRing)
                return pop == PopResult.Empty ? PutResult.NoBuffers : PutResult.Fault;
            if (pop == PopResult.BadChain || chain!.WritableBytes < target.HeaderBytes)
            {
                GiveBackEmpty(head);
                continue;
            }
            if (!mergeable && frame.Length > chain.WritableBytes - target.HeaderBytes)
            {
                target.Queue.Rewind(before);
                return PutResult.TooLong;
            }
            if (PutFrom(before, head, chain, header, frame) is { } result)
                return result;
        }
    }

    /// <summary>Null: a buffer in between was bad; all are given back empty.</summary>
    private PutResult? PutFrom(ReferenceMark before, ushort head, ReferenceChain chain, byte[] header, ReadOnlySpan<byte> frame)
    {
        int room = (int)Math.Min(frame.Length, chain.WritableBytes - target.HeaderBytes);
        var filled = new List<(ushort Head, ReferenceChain Chain, byte[] Bytes)> { (head, chain, [.. header.AsSpan(0, target.HeaderBytes), .. frame[..room]]) };
        frame = frame[room..];
        while (frame.Length > 0)
        {
            var pop = filled.Count < target.Queue.Place.Size ? target.Queue.Pop(out head, out chain!) : PopResult.Empty;
            if (pop == PopResult.Chain && chain.WritableBytes > 0)
            {
                room = (int)Math.Min(frame.Length, chain.WritableBytes);
                filled.Add((head, chain, frame[..room].ToArray()));
                frame = frame[room..];
                continue;
            }
            foreach (var buffer in filled)
                target.Arena.MayWrite(buffer.Chain.Writable, buffer.Bytes);
            if (pop is PopResult.Empty or PopResult.BadRing)
            {
                target.Queue.Rewind(before);
                return pop == PopResult.BadRing ? PutResult.Fault : filled.Count == target.Queue.Place.Size ? PutResult.TooLong : PutResult.NoBuffers;
            }
            foreach (var buffer in filled)
                target.Queue.Use(buffer.Head, 0);
            GiveBackEmpty(head);
            return null;
        }
        if (filled.Count > 1)
            BinaryPrimitives.WriteUInt16LittleEndian(filled[0].Bytes.AsSpan(10), (ushort)filled.Count);
        foreach (var buffer in filled)
        {
            target.Arena.Write(buffer.Chain.Writable, buffer.Bytes);
            target.Queue.Use(buffer.Head, (uint)buffer.Bytes.Length);
        }
        return PutResult.Delivered;
    }

    private void GiveBackEmpty(ushort head)
    {
        target.Queue.Use(head, 0);
        target.Faults++;
    }
}
