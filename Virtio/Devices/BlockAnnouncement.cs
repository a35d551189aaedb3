using System.Buffers.Binary;
using System.Text;

namespace InterGuest.Virtio.Devices;

/// <summary>What a server announces of its disk (docs/block-serving.md, section 3).</summary>
[Flags]
public enum BlockAnnouncementFlags : uint
{
    /// <summary>Nothing more than reading and durable writing.</summary>
    None = 0,

    /// <summary>Nothing can be written.</summary>
    ReadOnly = 1,

    /// <summary>What was written is on the medium only after a FLUSH.</summary>
    Cached = 2,

    /// <summary>DISCARD is served.</summary>
    Discard = 4,

    /// <summary>WRITE_ZEROES is served.</summary>
    WriteZeroes = 8,

    /// <summary>WRITE_ZEROES may discard, if the request lets it.</summary>
    Unmap = 16,
}

/// <summary>ANNOUNCE: the disk that a server serves (docs/block-serving.md, section 3). Compared by value.</summary>
public sealed record BlockAnnouncement
{
    /// <summary>Of the whole message.</summary>
    public const int Bytes = BlockMessage.Bytes + DataBytes;

    /// <summary>Least and most of <see cref="MaxData"/>.</summary>
    public const uint LeastMaxData = 4096, MostMaxData = 16 << 20;

    private const int DataBytes = 72, MaxPhysicalBlockExponent = 16;
    private const uint LeastBlock = 512, MostBlock = 4096;
    private const ulong MostCapacity = 1UL << 54;

    /// <summary>The protocol's version that the server chose; 0: it speaks none of those it was asked for.</summary>
    public uint Version { get; init; } = BlockServingStart.Version;

    /// <summary>What the disk is and can.</summary>
    public BlockAnnouncementFlags Flags { get; init; }

    /// <summary>In sectors of 512 bytes.</summary>
    public required ulong Capacity { get; init; }

    /// <summary>Names what would be lost in a crash: another number, other contents. 0: not known.</summary>
    public ulong Cache { get; init; }

    /// <summary>Bytes of a block, of which requests have whole ones.</summary>
    public uint BlockSize { get; init; } = LeastBlock;

    /// <summary>Blocks per physical block, as a power of two.</summary>
    public byte PhysicalBlockExponent { get; init; }

    /// <summary>Blocks before the first physical block.</summary>
    public byte AlignmentOffset { get; init; }

    /// <summary>In blocks.</summary>
    public ushort MinIoSize { get; init; }

    /// <summary>In blocks.</summary>
    public uint OptimalIoSize { get; init; }

    /// <summary>Most bytes of data in a request or a reply.</summary>
    public required uint MaxData { get; init; }

    /// <summary>Most sectors of a DISCARD.</summary>
    public uint MaxDiscard { get; init; }

    /// <summary>In sectors.</summary>
    public uint DiscardAlignment { get; init; }

    /// <summary>Most sectors of a WRITE_ZEROES.</summary>
    public uint MaxWriteZeroes { get; init; }

    /// <summary>The disk's serial number: at most <see cref="BlockRequest.IdBytes"/> printable ASCII characters.</summary>
    public string Id { get; init; } = "";

    /// <summary>Bytes of a sector per block.</summary>
    public uint BlockSectors => BlockSize / BlockRequest.SectorBytes;

    /// <summary>Why this cannot be a disk, for a person; null if it can.</summary>
    public string? Problem =>
        Version != BlockServingStart.Version ? $"protocol version {Version}, and this switch speaks {BlockServingStart.Version}"
        : BlockSize is < LeastBlock or > MostBlock || !uint.IsPow2(BlockSize) ? $"a block size of {BlockSize}; it is 512, 1024, 2048 or 4096"
        : Capacity > MostCapacity ? $"a capacity of {Capacity} sectors, more than {MostCapacity}"
        : Capacity % BlockSectors != 0 ? $"a capacity of {Capacity} sectors, which is not a number of whole blocks of {BlockSize} bytes"
        : PhysicalBlockExponent > MaxPhysicalBlockExponent ? $"a physical block of 2^{PhysicalBlockExponent} blocks, more than 2^{MaxPhysicalBlockExponent}"
        : MaxData is < LeastMaxData or > MostMaxData || MaxData % BlockSize != 0
            ? $"requests of {MaxData} bytes of data; it is a number of whole blocks between {LeastMaxData} and {MostMaxData}"
        : Flags.HasFlag(BlockAnnouncementFlags.Discard) && MaxDiscard < BlockSectors ? "DISCARD, but of less than a block"
        : Flags.HasFlag(BlockAnnouncementFlags.WriteZeroes) && MaxWriteZeroes < BlockSectors ? "WRITE_ZEROES, but of less than a block"
        : !IsId(Id) ? "a serial number that is not printable ASCII"
        : null;

    /// <summary>Why this cannot follow <paramref name="before"/> under clients that use the disk, for a person; null if it can.</summary>
    public string? ProblemAfter(BlockAnnouncement before) =>
        Id != before.Id ? $"the disk '{Id}' in place of '{before.Id}'"
        : BlockSize != before.BlockSize ? $"blocks of {BlockSize} bytes in place of {before.BlockSize}"
        : Capacity < before.Capacity ? $"a capacity of {Capacity} sectors, fewer than the {before.Capacity} before"
        : Flags != before.Flags ? $"the properties {Flags} in place of {before.Flags}"
        : null;

    /// <summary>Reads the message.</summary>
    /// <param name="message">Its head.</param>
    /// <param name="bytes">All of it.</param>
    /// <returns>Null if it is too short. Its fields may be anything: see <see cref="Problem"/>.</returns>
    public static BlockAnnouncement? TryParse(in BlockMessage message, ReadOnlySpan<byte> bytes)
    {
        if (message.HeaderBytes < BlockMessage.Bytes || message.DataBytes < DataBytes || bytes.Length < message.HeaderBytes + DataBytes)
            return null;
        var data = bytes.Slice(message.HeaderBytes, DataBytes);
        return new BlockAnnouncement
        {
            Version = BinaryPrimitives.ReadUInt32LittleEndian(data),
            Flags = (BlockAnnouncementFlags)BinaryPrimitives.ReadUInt32LittleEndian(data[4..]),
            Capacity = BinaryPrimitives.ReadUInt64LittleEndian(data[8..]),
            Cache = BinaryPrimitives.ReadUInt64LittleEndian(data[16..]),
            BlockSize = BinaryPrimitives.ReadUInt32LittleEndian(data[24..]),
            PhysicalBlockExponent = data[28],
            AlignmentOffset = data[29],
            MinIoSize = BinaryPrimitives.ReadUInt16LittleEndian(data[30..]),
            OptimalIoSize = BinaryPrimitives.ReadUInt32LittleEndian(data[32..]),
            MaxData = BinaryPrimitives.ReadUInt32LittleEndian(data[36..]),
            MaxDiscard = BinaryPrimitives.ReadUInt32LittleEndian(data[40..]),
            DiscardAlignment = BinaryPrimitives.ReadUInt32LittleEndian(data[44..]),
            MaxWriteZeroes = BinaryPrimitives.ReadUInt32LittleEndian(data[48..]),
            Id = Encoding.Latin1.GetString(data.Slice(52, BlockRequest.IdBytes)).TrimEnd('\0'),
        };
    }

    /// <summary>Writes the message.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    /// <param name="epoch">The epoch that it belongs to.</param>
    public void Write(Span<byte> bytes, uint epoch)
    {
        new BlockMessage(BlockMessageType.Announce, BlockMessage.Bytes, DataBytes, new BlockTag(epoch, 0, 0, 0, 0, 0)).Write(bytes);
        var data = bytes.Slice(BlockMessage.Bytes, DataBytes);
        data.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(data, Version);
        BinaryPrimitives.WriteUInt32LittleEndian(data[4..], (uint)Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(data[8..], Capacity);
        BinaryPrimitives.WriteUInt64LittleEndian(data[16..], Cache);
        BinaryPrimitives.WriteUInt32LittleEndian(data[24..], BlockSize);
        data[28] = PhysicalBlockExponent;
        data[29] = AlignmentOffset;
        BinaryPrimitives.WriteUInt16LittleEndian(data[30..], MinIoSize);
        BinaryPrimitives.WriteUInt32LittleEndian(data[32..], OptimalIoSize);
        BinaryPrimitives.WriteUInt32LittleEndian(data[36..], MaxData);
        BinaryPrimitives.WriteUInt32LittleEndian(data[40..], MaxDiscard);
        BinaryPrimitives.WriteUInt32LittleEndian(data[44..], DiscardAlignment);
        BinaryPrimitives.WriteUInt32LittleEndian(data[48..], MaxWriteZeroes);
        WriteId(data[52..]);
    }

    /// <summary>Writes the serial number, filled up with zeros (the answer to GET_ID; VIRTIO 1.2, 5.2.6).</summary>
    /// <param name="bytes">At least <see cref="BlockRequest.IdBytes"/>.</param>
    public void WriteId(Span<byte> bytes)
    {
        bytes = bytes[..BlockRequest.IdBytes];
        bytes.Clear();
        Encoding.Latin1.GetBytes(Id.AsSpan(0, Math.Min(Id.Length, BlockRequest.IdBytes)), bytes);
    }

    private static bool IsId(string id) => id.Length <= BlockRequest.IdBytes && id.All(c => c is >= ' ' and <= '~');
}
