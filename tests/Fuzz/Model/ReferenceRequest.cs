using System.Buffers.Binary;
using InterGuest.Switch.DataPath.Block;

namespace InterGuest.Fuzz.Model;

/// <summary>A part of a request, as one message to the server.</summary>
internal sealed class ReferencePart(ulong sector, uint sectors, int offset, int bytes, int flags)
{
    public ulong Sector => sector;

    public uint Sectors => sectors;

    /// <summary>Where its data are among those of the request.</summary>
    public int Offset => offset;

    /// <summary>Bytes to be read or written.</summary>
    public int Bytes => bytes;

    public int Flags => flags;

    public bool IsSent { get; set; }

    public bool IsDone { get; set; }
}

/// <summary>
/// A request of a client, read as VIRTIO 1.2, 5.2.6, says, and checked as docs/block-serving.md, section 2, says: what the server is
/// asked for, or how it ends.
/// </summary>
internal sealed class ReferenceRequest
{
    public const uint In = 0, Out = 1, Flush = 4, GetId = 8, Discard = 11, WriteZeroes = 13;

    /// <summary>The limits that the switch sets.</summary>
    private const int MostParts = 64, MostRanges = 16;

    private readonly List<(ulong Sector, uint Sectors, uint Flags)> _ranges = [];
    private ulong _sector;
    private int _flags;

    public ReferenceRequest(ushort head, ReferenceChain chain, uint generation, long sequence) =>
        (Head, Chain, Generation, Sequence) = (head, chain, generation, sequence);

    public ushort Head { get; }

    public ReferenceChain Chain { get; }

    public uint Generation { get; }

    public long Sequence { get; }

    public uint Operation { get; private set; } = Flush;

    /// <summary>Bytes to be read or written.</summary>
    public long Data { get; private set; }

    public List<ReferencePart> Parts { get; } = [];

    /// <summary>The first error of a part.</summary>
    public byte Status { get; set; }

    /// <summary>FLUSH: writes done before it.</summary>
    public long WritesBefore { get; private set; }

    /// <summary>What it breaks; null: nothing.</summary>
    public BlockFault? Fault { get; private set; }

    /// <summary>Reads it.</summary>
    /// <returns>Its status if it has ended; -1: the server is to do it; null: it has no place for a status.</returns>
    public int? Read(ReferenceDisk disk, bool durable, bool lostWrites, long writesDone)
    {
        if (Chain.WritableBytes == 0)
        {
            Fault = BlockFault.BadRequest;
            return null;
        }
        if (Chain.ReadableBytes < 16)
            return End(BlockFault.BadRequest);
        byte[] bytes = Chain.Read(Chain.Readable);
        uint operation = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8));
        _flags = durable && disk.IsCached ? 2 : 0;
        switch (operation)
        {
            case In or Out:
                return End(ReadOrWrite(operation, sector, operation == In ? Chain.WritableBytes - 1 : bytes.Length - 16, disk));
            case Flush when lostWrites:
                return 1;
            case Flush when !disk.IsCached:
                return 0;
            case Flush:
                WritesBefore = writesDone;
                Cut(disk.MaxData);
                return -1;
            case GetId when Chain.WritableBytes == 21:
                Operation = GetId;
                return 0;
            case GetId:
                return End(BlockFault.BadRequest);
            case Discard or WriteZeroes:
                return End(Ranges(operation, bytes.AsSpan(16), disk));
            default:
                return End(BlockFault.UnsupportedRequest);
        }
    }

    /// <summary>Makes its parts anew.</summary>
    /// <returns>False: there would be too many; then there are none.</returns>
    public bool Cut(uint maxData)
    {
        Parts.Clear();
        if (Operation == Flush)
            Parts.Add(new ReferencePart(0, 0, 0, 0, 0));
        foreach (var (sector, sectors, flags) in _ranges)
            Parts.Add(new ReferencePart(sector, sectors, 0, 0, _flags | (flags != 0 ? 1 : 0)));
        for (long at = 0; Operation is In or Out && at < Data && Parts.Count <= MostParts; at += maxData)
        {
            int here = (int)Math.Min(maxData, Data - at);
            Parts.Add(new ReferencePart(_sector + (ulong)at / 512, (uint)here / 512, (int)at, here, Operation == Out ? _flags : 0));
        }
        if (Parts.Count <= MostParts)
            return true;
        Parts.Clear();
        return false;
    }

    private int End(BlockFault? fault)
    {
        Fault = fault;
        return fault == null ? -1 : fault == BlockFault.UnsupportedRequest ? 2 : 1;
    }

    private BlockFault? ReadOrWrite(uint operation, ulong sector, long bytes, ReferenceDisk disk)
    {
        if (operation == Out && disk.IsReadOnly)
            return BlockFault.ReadOnlyDisk;
        if (bytes == 0 || bytes % disk.BlockSize != 0 || sector % disk.BlockSectors != 0)
            return BlockFault.NotWholeBlocks;
        if (!disk.Has(sector, (ulong)bytes / 512))
            return BlockFault.OutOfRange;
        (Operation, _sector, Data) = (operation, sector, bytes);
        return Cut(disk.MaxData) ? null : BlockFault.RequestTooLarge;
    }

    private BlockFault? Ranges(uint operation, ReadOnlySpan<byte> bytes, ReferenceDisk disk)
    {
        if (!disk.ServesOperation(operation))
            return BlockFault.UnsupportedRequest;
        if (disk.IsReadOnly)
            return BlockFault.ReadOnlyDisk;
        if (bytes.Length % 16 != 0 || bytes.Length / 16 is 0 or > MostRanges)
            return BlockFault.BadRange;
        (Operation, Data) = (operation, bytes.Length);
        for (; bytes.Length > 0; bytes = bytes[16..])
        {
            ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            uint sectors = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]), flags = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
            // 5.2.6.2: UNMAP is of WRITE_ZEROES alone, and the other bits are reserved.
            if ((flags & ~(operation == WriteZeroes ? 1u : 0)) != 0)
                return BlockFault.UnsupportedRequest;
            if (sectors == 0 || sectors > disk.MostSectors(operation))
                return BlockFault.BadRange;
            if (sector % disk.BlockSectors != 0 || sectors % disk.BlockSectors != 0)
                return BlockFault.NotWholeBlocks;
            if (!disk.Has(sector, sectors))
                return BlockFault.OutOfRange;
            _ranges.Add((sector, sectors, flags));
        }
        return Cut(disk.MaxData) ? null : BlockFault.BadRange;
    }
}
