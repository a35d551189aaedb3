using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>What is to be done with a request.</summary>
internal enum RequestFate
{
    /// <summary>The server is to do it.</summary>
    Send,

    /// <summary>It is done, with the status given.</summary>
    Answer,

    /// <summary>It has no place for a status, or far too much room: it is given back.</summary>
    GiveBack,
}

/// <summary>Reads what a client asks for, once, and checks it (VIRTIO 1.2, 5.2.6.2).</summary>
internal static class RequestReader
{
    /// <summary>Bytes of a request that is taken seriously: more than a driver sends.</summary>
    public const ulong MaxBytes = Flight.MaxParts * (ulong)BlockAnnouncement.MostMaxData;

    /// <summary>Reads a request.</summary>
    /// <param name="flight">With the chain; filled in.</param>
    /// <param name="client">Whose it is.</param>
    /// <param name="disk">What is served now.</param>
    /// <param name="status">How it ended, if it has.</param>
    public static RequestFate Read(Flight flight, BlockClient client, BlockAnnouncement disk, out BlockStatus status)
    {
        status = BlockStatus.IoError;
        var chain = flight.Chain;
        var data = chain.Readable;
        Span<byte> header = stackalloc byte[BlockRequest.Bytes];
        if (chain.WritableBytes is 0 or > MaxBytes)
        {
            client.Counters.Count(BlockFault.BadRequest);
            return RequestFate.GiveBack;
        }
        if (data.Read(header) < BlockRequest.Bytes)
            return Fault(client, BlockFault.BadRequest, ref status);
        var request = BlockRequest.Parse(header);
        switch (request.Operation)
        {
            case BlockOperation.In:
                return Fault(client, ReadOrWrite(flight, request, chain.WritableBytes - 1, client, disk), ref status);
            case BlockOperation.Out:
                return Fault(client, ReadOrWrite(flight, request, data.Remaining, client, disk), ref status);
            case BlockOperation.Flush:
                return Flush(flight, client, disk, ref status);
            case BlockOperation.GetId:
                return GetId(flight, disk, client, ref status);
            case BlockOperation.Discard or BlockOperation.WriteZeroes:
                return Fault(client, Ranges(flight, request.Operation, data, client, disk), ref status);
            default:
                return Fault(client, BlockFault.UnsupportedRequest, ref status);
        }
    }

    private static RequestFate Fault(BlockClient client, BlockFault? fault, ref BlockStatus status)
    {
        if (fault is not { } reason)
            return RequestFate.Send;
        client.Counters.Count(reason);
        status = reason == BlockFault.UnsupportedRequest ? BlockStatus.Unsupported : BlockStatus.IoError;
        return RequestFate.Answer;
    }

    private static BlockFault? ReadOrWrite(Flight flight, BlockRequest request, ulong bytes, BlockClient client, BlockAnnouncement disk)
    {
        bool writes = request.Operation == BlockOperation.Out;
        if (writes && disk.Flags.HasFlag(BlockAnnouncementFlags.ReadOnly))
            return BlockFault.ReadOnlyDisk;
        if (bytes == 0 || bytes % disk.BlockSize != 0 || request.Sector % disk.BlockSectors != 0)
            return BlockFault.NotWholeBlocks;
        if (!Fits(request.Sector, bytes / BlockRequest.SectorBytes, disk))
            return BlockFault.OutOfRange;
        flight.ReadOrWrite(request.Operation, request.Sector, bytes, writes ? DurableFlag(client, disk) : (ushort)0);
        return flight.Cut(disk.MaxData) ? null : BlockFault.RequestTooLarge;
    }

    private static RequestFate Flush(Flight flight, BlockClient client, BlockAnnouncement disk, ref BlockStatus status)
    {
        if (client.HasLostWrites)
        {
            client.TellLostWrites();
            return RequestFate.Answer;
        }
        if (!disk.Flags.HasFlag(BlockAnnouncementFlags.Cached))
        {
            status = BlockStatus.Ok; // whatever was done is durable
            return RequestFate.Answer;
        }
        flight.Flush(client.WritesDone);
        flight.Cut(disk.MaxData);
        return RequestFate.Send;
    }

    private static RequestFate GetId(Flight flight, BlockAnnouncement disk, BlockClient client, ref BlockStatus status)
    {
        // Exactly as long as the specification has it; the byte behind is the status.
        var chain = flight.Chain;
        if (chain.WritableBytes != BlockRequest.IdBytes + 1)
            return Fault(client, BlockFault.BadRequest, ref status);
        Span<byte> id = stackalloc byte[BlockRequest.IdBytes];
        disk.WriteId(id);
        var place = chain.Writable;
        place.Write(id);
        flight.Identify();
        status = BlockStatus.Ok;
        return RequestFate.Answer;
    }

    private static BlockFault? Ranges(Flight flight, BlockOperation operation, SegmentCursor data, BlockClient client, BlockAnnouncement disk)
    {
        bool discards = operation == BlockOperation.Discard;
        if (!disk.Flags.HasFlag(discards ? BlockAnnouncementFlags.Discard : BlockAnnouncementFlags.WriteZeroes))
            return BlockFault.UnsupportedRequest;
        if (disk.Flags.HasFlag(BlockAnnouncementFlags.ReadOnly))
            return BlockFault.ReadOnlyDisk;
        ulong count = data.Remaining / BlockRange.Bytes;
        if (data.Remaining % BlockRange.Bytes != 0 || count is 0 or > BlockConfig.MaxRanges)
            return BlockFault.BadRange;
        var ranges = flight.SetRanges(operation, (int)count, DurableFlag(client, disk));
        Span<byte> bytes = stackalloc byte[BlockRange.Bytes];
        foreach (ref var range in ranges)
        {
            data.Read(bytes);
            range = BlockRange.Parse(bytes);
            // UNMAP means nothing to DISCARD, and the other bits nothing to anybody: both must be 0 (5.2.6.2).
            if ((range.Flags & ~(discards ? 0 : BlockRange.Unmap)) != 0)
                return BlockFault.UnsupportedRequest;
            if (range.Sectors == 0 || range.Sectors > (discards ? disk.MaxDiscard : disk.MaxWriteZeroes))
                return BlockFault.BadRange;
            if (range.Sector % disk.BlockSectors != 0 || range.Sectors % disk.BlockSectors != 0)
                return BlockFault.NotWholeBlocks;
            if (!Fits(range.Sector, range.Sectors, disk))
                return BlockFault.OutOfRange;
        }
        return flight.Cut(disk.MaxData) ? null : BlockFault.BadRange;
    }

    private static ushort DurableFlag(BlockClient client, BlockAnnouncement disk) =>
        client.WritesThrough && disk.Flags.HasFlag(BlockAnnouncementFlags.Cached) ? BlockServingRequest.Durable : (ushort)0;

    private static bool Fits(ulong sector, ulong sectors, BlockAnnouncement disk) =>
        sector <= disk.Capacity && sectors <= disk.Capacity - sector;
}
