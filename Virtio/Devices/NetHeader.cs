using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Devices;

/// <summary>The header in front of every frame of a network device (VIRTIO 1.2, 5.1.6), as a snapshot of our own.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NetHeader
{
    /// <summary>With num_buffers: with VIRTIO_F_VERSION_1 or VIRTIO_NET_F_MRG_RXBUF (5.1.6.1).</summary>
    public const int Bytes = 12;

    /// <summary>A legacy driver's, without num_buffers.</summary>
    public const int LegacyBytes = 10;

    /// <summary>Bytes of the shortest frame: an Ethernet header.</summary>
    public const int MinFrame = 14;

    /// <summary>Bytes of the longest: the largest IP packet behind an Ethernet header with two VLAN tags.</summary>
    public const int MaxFrame = 65535 + 14 + 8;

    /// <summary>Where num_buffers is.</summary>
    public const int BuffersOffset = 10;

    /// <summary>Flag: the checksum from csum_start on is to be completed at csum_offset.</summary>
    public const byte NeedsChecksum = 1;

    /// <summary>gso_type of a packet that is not to be segmented.</summary>
    public const byte GsoNone = 0;

    /// <summary>gso_type of a TCPv4 segment to be cut.</summary>
    public const byte GsoTcp4 = 1;

    /// <summary>gso_type of an UDP datagram to be fragmented.</summary>
    public const byte GsoUdp = 3;

    /// <summary>gso_type of a TCPv6 segment to be cut.</summary>
    public const byte GsoTcp6 = 4;

    /// <summary>gso_type of an UDP datagram to be cut into datagrams.</summary>
    public const byte GsoUdpL4 = 5;

    /// <summary>Added to a gso_type: ECN is set.</summary>
    public const byte GsoEcn = 0x80;

    /// <summary>Flag bits.</summary>
    public byte Flags;

    /// <summary>One of the Gso constants.</summary>
    public byte GsoType;

    /// <summary>Bytes of the protocol headers: a hint.</summary>
    public ushort HeaderLength;

    /// <summary>Payload bytes of each packet after segmentation.</summary>
    public ushort GsoSize;

    /// <summary>Where checksumming begins, from the frame's first byte.</summary>
    public ushort ChecksumStart;

    /// <summary>Where the checksum goes, from <see cref="ChecksumStart"/>.</summary>
    public ushort ChecksumOffset;

    /// <summary>The header's size for a driver that accepted these features (5.1.6.1).</summary>
    public static int SizeFor(ulong features) =>
        (features & (Features.Version1 | Features.NetMergeableBuffers)) != 0 ? Bytes : LegacyBytes;

    /// <summary>Reads a header, without num_buffers, which means nothing in what a driver sends.</summary>
    /// <param name="bytes">At least <see cref="LegacyBytes"/>.</param>
    public static NetHeader Parse(ReadOnlySpan<byte> bytes) => new()
    {
        Flags = bytes[0],
        GsoType = bytes[1],
        HeaderLength = BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]),
        GsoSize = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]),
        ChecksumStart = BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]),
        ChecksumOffset = BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]),
    };

    /// <summary>As <see cref="Parse"/>, of what was read already.</summary>
    /// <param name="low">The first eight bytes.</param>
    /// <param name="checksumOffset">The two behind them.</param>
    internal static NetHeader From(ulong low, ushort checksumOffset) => new()
    {
        Flags = (byte)low,
        GsoType = (byte)(low >> 8),
        HeaderLength = (ushort)(low >> 16),
        GsoSize = (ushort)(low >> 32),
        ChecksumStart = (ushort)(low >> 48),
        ChecksumOffset = checksumOffset,
    };

    /// <summary>The first eight bytes, of which these are flags and gso_type: where they are 0, nothing is asked for.</summary>
    internal const ulong Asks = 0xffff;

    /// <summary>The first eight bytes, as one word.</summary>
    internal readonly ulong Low =>
        Flags | (ulong)GsoType << 8 | (ulong)HeaderLength << 16 | (ulong)GsoSize << 32 | (ulong)ChecksumStart << 48;

    /// <summary>Writes a header where a guest has room for it; mostly the same one is still there.</summary>
    /// <param name="room">So many bytes, which a translation found to be the guest's.</param>
    /// <param name="headerBytes"><see cref="Bytes"/> or <see cref="LegacyBytes"/>.</param>
    /// <param name="low"><see cref="Low"/>.</param>
    /// <param name="checksumOffset"><see cref="ChecksumOffset"/>.</param>
    /// <param name="buffers">As in <see cref="Write(Span{byte}, ushort)"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe void Write(byte* room, int headerBytes, ulong low, ushort checksumOffset, ushort buffers)
    {
        CacheLines.Update(room, low);
        if (headerBytes == Bytes)
            CacheLines.Update(room + sizeof(ulong), checksumOffset | (uint)buffers << 16);
        else
            CacheLines.Update(room + sizeof(ulong), checksumOffset);
    }

    /// <summary>As <see cref="Write(byte*, int, ulong, ushort, ushort)"/>, where it is not worth to wait for what is there: a long frame's buffer is cold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe void Store(byte* room, int headerBytes, ulong low, ushort checksumOffset, ushort buffers)
    {
        Unsafe.WriteUnaligned(room, low);
        if (headerBytes == Bytes)
            Unsafe.WriteUnaligned(room + sizeof(ulong), checksumOffset | (uint)buffers << 16);
        else
            Unsafe.WriteUnaligned(room + sizeof(ulong), checksumOffset);
    }

    /// <summary>Writes the header with num_buffers.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    /// <param name="buffers">Receive buffers that the frame takes: 1 unless they are mergeable.</param>
    public readonly void Write(Span<byte> bytes, ushort buffers)
    {
        bytes[0] = Flags;
        bytes[1] = GsoType;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], HeaderLength);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], GsoSize);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[6..], ChecksumStart);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[8..], ChecksumOffset);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[BuffersOffset..], buffers);
    }

    /// <summary>
    /// Makes a header from a hostile driver one that a kernel may believe: bits that a driver has no business to set are
    /// cleared (5.1.6.2.1), and offsets must lie inside the frame.
    /// </summary>
    /// <param name="frameLength">Bytes of the frame behind the header.</param>
    /// <returns>False if the header cannot be right.</returns>
    public bool TrySanitize(ulong frameLength)
    {
        Flags &= NeedsChecksum;
        if (Flags == 0)
            ChecksumStart = ChecksumOffset = 0;
        else if ((ulong)ChecksumStart + ChecksumOffset + sizeof(ushort) > frameLength)
            return false;

        if (GsoType == GsoNone)
        {
            GsoSize = HeaderLength = 0;
            return true;
        }
        // Segments are cut by what follows the headers, and every segment needs its own checksum.
        return (GsoType & ~GsoEcn) is GsoTcp4 or GsoTcp6 or GsoUdp or GsoUdpL4
            && GsoSize > 0 && HeaderLength <= frameLength && (Flags & NeedsChecksum) != 0;
    }

    /// <summary>The features that the driver at the other end must have accepted to be given this frame.</summary>
    public readonly ulong NeededToReceive() =>
        ((Flags & NeedsChecksum) != 0 ? Features.NetGuestChecksum : 0)
        | ((GsoType & GsoEcn) != 0 ? Features.NetGuestEcn : 0)
        | (GsoType & ~GsoEcn) switch
        {
            GsoTcp4 => Features.NetGuestTso4,
            GsoTcp6 => Features.NetGuestTso6,
            GsoUdp => Features.NetGuestUfo,
            GsoUdpL4 => Features.NetGuestUso4 | Features.NetGuestUso6, // which of them, only the packet tells
            _ => 0,
        };
}
