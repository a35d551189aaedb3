using System.Diagnostics;
using System.Numerics;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>
/// A client's request that is on its way: its chain, what it asks for, and which parts of it are with the server. One for
/// each head of a queue, used again and again.
/// </summary>
internal sealed class Flight(ushort head) : IDisposable
{
    /// <summary>A request is cut into at most so many parts, as a mask has bits.</summary>
    public const int MaxParts = 64;

    // Of a DISCARD or WRITE_ZEROES; made for the first one that this head has.
    private BlockRange[]? _ranges;

    public ushort Head => head;

    public bool InUse { get; private set; }

    /// <summary>The chain. Changes with each request: it is exchanged for the one that the request was found in.</summary>
    public Chain Chain { get; private set; } = new();

    /// <summary>Another one for each request of this head: a reply to the one before does not fit.</summary>
    public uint Generation { get; private set; }

    /// <summary>When it was taken, among all of the client's.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>When, by <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long Began { get; private set; }

    public BlockOperation Operation { get; private set; }

    public ushort Flags { get; private set; }

    /// <summary>The first sector of a read or write.</summary>
    public ulong Sector { get; private set; }

    /// <summary>Bytes to be read or written.</summary>
    public ulong DataBytes { get; private set; }

    /// <summary>Bytes of all but the last part.</summary>
    public uint PartBytes { get; private set; }

    /// <summary>A bit for each part that is to be sent.</summary>
    public ulong Unsent { get; private set; }

    /// <summary>A bit for each part without a reply.</summary>
    public ulong Unreplied { get; private set; }

    /// <summary>The first error of a part.</summary>
    public BlockStatus Status { get; private set; }

    /// <summary>FLUSH: the writes that were done when it was taken.</summary>
    public long WritesBefore { get; private set; }

    /// <summary>The driver changed its descriptors under us, or its memory has gone: nothing can be written there.</summary>
    public bool IsSpoilt { get; set; }

    /// <summary>Parts that the server has.</summary>
    public int PartsOut => BitOperations.PopCount(Unreplied & ~Unsent);

    /// <summary>Bytes of those.</summary>
    public long BytesOut
    {
        get
        {
            long bytes = 0;
            for (ulong parts = Unreplied & ~Unsent; parts != 0; parts &= parts - 1)
                bytes += CostOf(BitOperations.TrailingZeroCount(parts));
            return bytes;
        }
    }

    /// <summary>Takes a request over.</summary>
    /// <returns>A chain to find the next one in.</returns>
    public Chain Begin(Chain chain, ulong sequence)
    {
        var spare = Chain;
        Chain = chain;
        (InUse, IsSpoilt, Sequence, Began, Status) = (true, false, sequence, Stopwatch.GetTimestamp(), BlockStatus.Ok);
        (Operation, Unsent, Unreplied, DataBytes, Flags) = (BlockOperation.Flush, 0, 0, 0, 0);
        Generation++;
        return spare;
    }

    public void End() => (InUse, Unsent, Unreplied) = (false, 0, 0);

    public void ReadOrWrite(BlockOperation operation, ulong sector, ulong bytes, ushort flags) =>
        (Operation, Sector, DataBytes, Flags) = (operation, sector, bytes, flags);

    public void Identify() => Operation = BlockOperation.GetId;

    public void Flush(long writesBefore) => (Operation, WritesBefore) = (BlockOperation.Flush, writesBefore);

    /// <summary>Room for the ranges of a DISCARD or WRITE_ZEROES.</summary>
    public Span<BlockRange> SetRanges(BlockOperation operation, int count, ushort flags)
    {
        _ranges ??= new BlockRange[BlockConfig.MaxRanges];
        (Operation, DataBytes, Flags) = (operation, (ulong)count * BlockRange.Bytes, flags);
        return _ranges.AsSpan(0, count);
    }

    /// <summary>Everything is to be sent, in parts of at most so many bytes; again, if some of it was before.</summary>
    /// <returns>False if that would be too many parts: there are none.</returns>
    public bool Cut(uint maxData)
    {
        (PartBytes, Unsent, Unreplied) = (maxData, 0, 0);
        ulong parts = Operation switch
        {
            BlockOperation.In or BlockOperation.Out => (DataBytes + maxData - 1) / maxData,
            BlockOperation.Flush => 1,
            _ => DataBytes / BlockRange.Bytes,
        };
        if (parts is 0 or > MaxParts)
            return false;
        Unsent = Unreplied = ulong.MaxValue >> (MaxParts - (int)parts);
        return true;
    }

    /// <summary>The next part to be sent.</summary>
    public int NextPart => BitOperations.TrailingZeroCount(Unsent);

    /// <summary>Where a part's data are among those of the request.</summary>
    public ulong OffsetOf(int part) => (ulong)part * PartBytes;

    /// <summary>Bytes of data of a part of a read or write.</summary>
    public uint BytesOf(int part) => (uint)Math.Min(PartBytes, DataBytes - OffsetOf(part));

    /// <summary>The same, for its share of what may be in flight: of a FLUSH or DISCARD none.</summary>
    public uint CostOf(int part) => Operation is BlockOperation.In or BlockOperation.Out ? BytesOf(part) : 0;

    /// <summary>What a part asks of the server.</summary>
    public BlockServingRequest RequestOf(int part, BlockTag tag)
    {
        if (Operation is BlockOperation.In or BlockOperation.Out)
            return new BlockServingRequest(
                tag, Operation, Flags, Sector + OffsetOf(part) / BlockRequest.SectorBytes, BytesOf(part) / BlockRequest.SectorBytes);
        if (Operation == BlockOperation.Flush)
            return new BlockServingRequest(tag, Operation, 0, 0, 0);
        var range = _ranges![part];
        ushort unmap = (range.Flags & BlockRange.Unmap) != 0 ? BlockServingRequest.Unmap : (ushort)0;
        return new BlockServingRequest(tag, Operation, (ushort)(Flags | unmap), range.Sector, range.Sectors);
    }

    public void Sent(int part) => Unsent &= ~(1UL << part);

    /// <summary>Whether a part is with the server.</summary>
    public bool IsOut(int part) => part < MaxParts && (Unreplied & ~Unsent & (1UL << part)) != 0;

    /// <summary>A part has its reply.</summary>
    public void Replied(int part, BlockStatus status)
    {
        Unreplied &= ~(1UL << part);
        if (Status == BlockStatus.Ok)
            Status = status;
    }

    public void Dispose() => Chain.Dispose();
}
