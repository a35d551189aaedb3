using System.Buffers.Binary;

namespace InterGuest.Virtio.Devices;

/// <summary>The configuration space of a block device (VIRTIO 1.2, 5.2.4).</summary>
public static class BlockConfig
{
    /// <summary>Up to write_zeroes_may_unmap and its padding.</summary>
    public const int Bytes = 60;

    /// <summary>Where writeback is: the one field that a driver may write, with VIRTIO_BLK_F_CONFIG_WCE.</summary>
    public const int WritebackOffset = 32;

    /// <summary>Most ranges of one DISCARD or WRITE_ZEROES that we take apart.</summary>
    public const int MaxRanges = 16;

    /// <summary>Makes the configuration of a disk.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    /// <param name="disk">What its server announced.</param>
    /// <param name="queues">Virtqueues of the device.</param>
    /// <param name="maxSegments">Most buffers of a request's data.</param>
    /// <param name="writeback">Whether writes may stay in a cache until the next FLUSH.</param>
    public static void Write(Span<byte> bytes, BlockAnnouncement disk, ushort queues, uint maxSegments, bool writeback)
    {
        bytes = bytes[..Bytes];
        bytes.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, disk.Capacity);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], maxSegments);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], disk.BlockSize);
        bytes[24] = disk.PhysicalBlockExponent;
        bytes[25] = disk.AlignmentOffset;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[26..], disk.MinIoSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], disk.OptimalIoSize);
        bytes[WritebackOffset] = writeback ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[34..], queues);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[36..], disk.MaxDiscard);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[40..], MaxRanges);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[44..], disk.DiscardAlignment);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[48..], disk.MaxWriteZeroes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[52..], MaxRanges);
        bytes[56] = disk.Flags.HasFlag(BlockAnnouncementFlags.Unmap) ? (byte)1 : (byte)0;
    }
}
