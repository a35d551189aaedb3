using System.Buffers.Binary;

namespace InterGuest.Virtio.Devices;

/// <summary>What a block request asks for (VIRTIO 1.2, 5.2.6).</summary>
public enum BlockOperation : uint
{
    /// <summary>Read (VIRTIO_BLK_T_IN).</summary>
    In = 0,

    /// <summary>Write (VIRTIO_BLK_T_OUT).</summary>
    Out = 1,

    /// <summary>Put what was written onto the medium (VIRTIO_BLK_T_FLUSH).</summary>
    Flush = 4,

    /// <summary>The disk's serial number (VIRTIO_BLK_T_GET_ID).</summary>
    GetId = 8,

    /// <summary>Sectors that are not needed any more (VIRTIO_BLK_T_DISCARD).</summary>
    Discard = 11,

    /// <summary>Sectors to be zeros (VIRTIO_BLK_T_WRITE_ZEROES).</summary>
    WriteZeroes = 13,
}

/// <summary>How a block request ended: the last byte of its chain (VIRTIO 1.2, 5.2.6).</summary>
public enum BlockStatus : byte
{
    /// <summary>Done (VIRTIO_BLK_S_OK).</summary>
    Ok = 0,

    /// <summary>An error of the device or the driver (VIRTIO_BLK_S_IOERR).</summary>
    IoError = 1,

    /// <summary>Not a request that the device knows (VIRTIO_BLK_S_UNSUPP).</summary>
    Unsupported = 2,
}

/// <summary>The header in front of every request of a block device (VIRTIO 1.2, 5.2.6), as a snapshot of our own.</summary>
/// <param name="Operation">What is asked for; any number: it comes from a guest.</param>
/// <param name="Sector">The first sector of a read or a write.</param>
public readonly record struct BlockRequest(BlockOperation Operation, ulong Sector)
{
    /// <summary>Of a header.</summary>
    public const int Bytes = 16;

    /// <summary>Of a sector, in which everything is counted whatever the size of a block is.</summary>
    public const int SectorBytes = 512;

    /// <summary>Of the answer to GET_ID.</summary>
    public const int IdBytes = 20;

    /// <summary>Reads a header.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public static BlockRequest Parse(ReadOnlySpan<byte> bytes) =>
        new((BlockOperation)BinaryPrimitives.ReadUInt32LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));

    /// <summary>Writes the header.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)Operation);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], 0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], Sector);
    }
}

/// <summary>What a DISCARD or WRITE_ZEROES is about: its data are some of these (VIRTIO 1.2, 5.2.6).</summary>
/// <param name="Sector">The first sector.</param>
/// <param name="Sectors">How many.</param>
/// <param name="Flags"><see cref="Unmap"/>, or others, which are reserved.</param>
public readonly record struct BlockRange(ulong Sector, uint Sectors, uint Flags)
{
    /// <summary>Of a range.</summary>
    public const int Bytes = 16;

    /// <summary>The device may discard the sectors of a WRITE_ZEROES.</summary>
    public const uint Unmap = 1;

    /// <summary>Reads a range.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public static BlockRange Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]));

    /// <summary>Writes the range.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Sector);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], Sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], Flags);
    }
}
