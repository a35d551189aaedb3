using System.Buffers.Binary;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Switch.DataPath.Offload;

/// <summary>
/// The protocol headers of a packet that is to be cut: what was in them, and what each segment has in its own. A segment's are
/// written over those of the one before.
/// </summary>
internal readonly struct SegmentHeaders
{
    // TCP (RFC 9293, 3.1) and UDP (RFC 768).
    private const int SequenceOffset = 4, DataOffset = 12, FlagsOffset = 13, TcpChecksumOffset = 16, TcpMinBytes = 20;
    private const int UdpLengthOffset = 4, UdpChecksumOffset = 6, UdpBytes = 8;
    private const byte Fin = 0x01, Push = 0x08, CongestionWindowReduced = 0x80;

    private readonly PacketHeaders _where;
    private readonly ushort _identification;
    private readonly uint _sequence;
    private readonly byte _flags;
    private readonly ushort _partial;

    private SegmentHeaders(PacketHeaders where, int bytes, ReadOnlySpan<byte> front, ulong frameBytes)
    {
        (_where, Bytes) = (where, bytes);
        if (!where.IsIpv6)
            _identification = BinaryPrimitives.ReadUInt16BigEndian(front[(where.Network + Ipv4Header.IdentificationOffset)..]);
        if (IsTcp)
        {
            _sequence = BinaryPrimitives.ReadUInt32BigEndian(front[(where.Transport + SequenceOffset)..]);
            _flags = front[where.Transport + FlagsOffset];
        }
        // The sender has put the sum of the pseudo header here (VIRTIO 1.2, 5.1.6.2), which knows of routing headers what we
        // need not. The length in it is that of the whole: taken out, and each segment adds its own.
        ushort withLength = BinaryPrimitives.ReadUInt16BigEndian(front[(where.Transport + ChecksumOffset)..]);
        ushort length = GuestChecksum.Fold(frameBytes - (uint)where.Transport);
        _partial = GuestChecksum.Fold((uint)withLength + (ushort)~length);
    }

    /// <summary>Bytes of all headers, Ethernet's to the transport's.</summary>
    public int Bytes { get; }

    /// <summary>Bytes of the headers that count for the MTU.</summary>
    public int BytesFromNetwork => Bytes - _where.Network;

    public bool IsTcp => _where.Protocol == PacketHeaders.Tcp;

    public bool IsIpv6 => _where.IsIpv6;

    /// <summary>Where the checksum covers begins: the transport's header.</summary>
    public int ChecksumStart => _where.Transport;

    /// <summary>Where the checksum is, from there.</summary>
    public int ChecksumOffset => IsTcp ? TcpChecksumOffset : UdpChecksumOffset;

    /// <summary>Reads the headers of a packet that its virtio-net header says is to be cut.</summary>
    /// <param name="header">With a gso_type.</param>
    /// <param name="front">The frame's beginning: our copy.</param>
    /// <param name="frameBytes">Bytes of the whole frame.</param>
    /// <param name="headers">Those.</param>
    /// <returns>False if the packet is not what the header says.</returns>
    public static bool TryRead(in NetHeader header, ReadOnlySpan<byte> front, ulong frameBytes, out SegmentHeaders headers)
    {
        headers = default;
        if (!PacketHeaders.TryFind(front, out var where) || header.ChecksumStart != where.Transport)
            return false;
        bool isUdp = header.GsoType == NetHeader.GsoUdpL4;
        bool fits = (header.GsoType & ~NetHeader.GsoEcn) switch
        {
            NetHeader.GsoTcp4 => !where.IsIpv6,
            NetHeader.GsoTcp6 => where.IsIpv6,
            _ => isUdp,
        };
        if (!fits || where.Protocol != (isUdp ? PacketHeaders.Udp : PacketHeaders.Tcp)
            || header.ChecksumOffset != (isUdp ? UdpChecksumOffset : TcpChecksumOffset))
            return false;
        int transportBytes = UdpBytes;
        if (!isUdp)
        {
            if (front.Length < where.Transport + TcpMinBytes)
                return false;
            transportBytes = (front[where.Transport + DataOffset] >> 4) * 4;
            if (transportBytes < TcpMinBytes)
                return false;
        }
        int bytes = where.Transport + transportBytes;
        if (bytes > front.Length)
            return false;
        headers = new SegmentHeaders(where, bytes, front, frameBytes);
        return true;
    }

    /// <summary>Writes the headers of one segment, with the sum of its pseudo header in the place of its checksum.</summary>
    /// <param name="front">The headers of the whole packet or of another segment of it.</param>
    /// <param name="index">The segment's number, from 0.</param>
    /// <param name="offset">Where its payload begins in the whole payload.</param>
    /// <param name="payloadBytes">Of this segment.</param>
    /// <param name="isLast">Nothing comes behind it.</param>
    public void Write(Span<byte> front, int index, int offset, int payloadBytes, bool isLast)
    {
        var ip = front[_where.Network.._where.Transport];
        var transport = front[_where.Transport..Bytes];
        int transportLength = transport.Length + payloadBytes;
        if (IsIpv6)
            BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv6Header.PayloadLengthOffset..], (ushort)(ip.Length - Ipv6Header.Bytes + transportLength));
        else
            WriteIpv4(ip, (ushort)(ip.Length + transportLength), (ushort)(_identification + index));
        if (IsTcp)
        {
            BinaryPrimitives.WriteUInt32BigEndian(transport[SequenceOffset..], _sequence + (uint)offset);
            int left = _flags;
            if (index > 0)
                left &= ~CongestionWindowReduced; // RFC 3168, 6.1.2: once
            if (!isLast)
                left &= ~(Fin | Push);
            transport[FlagsOffset] = (byte)left;
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(transport[UdpLengthOffset..], (ushort)transportLength);
        }
        BinaryPrimitives.WriteUInt16BigEndian(transport[ChecksumOffset..], GuestChecksum.Fold((uint)_partial + (uint)transportLength));
    }

    private static void WriteIpv4(Span<byte> ip, ushort totalLength, ushort identification)
    {
        BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv4Header.TotalLengthOffset..], totalLength);
        BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv4Header.IdentificationOffset..], identification);
        var checksum = ip.Slice(Ipv4Header.ChecksumOffset, sizeof(ushort));
        checksum.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(checksum, (ushort)~GuestChecksum.Add(0, ip));
    }
}
