using System.Buffers.Binary;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Switch.DataPath.Offload;

/// <summary>
/// Makes of a frame that needs what its receiver refused (VIRTIO 1.2, 5.1.6.2) frames that need it not: completes checksums,
/// cuts TCP and UDP packets. One at a time, as the receiver has room: <see cref="Begin"/>, then for each frame
/// <see cref="Header"/>, <see cref="Front"/> and <see cref="Payload"/>, then <see cref="MoveNext"/>. Allocates nothing.
/// </summary>
/// <remarks>
/// The protocol headers are read once, into memory of our own, and all lengths and offsets come from there. The payload stays
/// where it is, is added up there and copied from there: see <see cref="GuestChecksum"/> on why that is safe.
/// </remarks>
public sealed class Translator
{
    /// <summary>The most that is read of a packet's headers: with all IPv6 extension headers that anybody uses.</summary>
    private const int MaxFrontBytes = 1024;

    /// <summary>The longest TCP header (RFC 9293, 3.1).</summary>
    private const int MaxTransportBytes = 60;

    private readonly byte[] _front = new byte[MaxFrontBytes];
    private SegmentHeaders _headers;
    private bool _cuts;
    private bool _completes;
    private int _frontBytes;
    private int _segmentBytes;
    private int _wholePayload;
    private int _offset;
    private int _index;
    private SegmentCursor _payload;

    /// <summary>What the receiver finds in front of the frame.</summary>
    public NetHeader Header { get; private set; }

    /// <summary>The frame's beginning, rewritten. Valid until <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Front => _front.AsSpan(0, _frontBytes);

    /// <summary>The sender's bytes behind <see cref="Front"/>: <see cref="PayloadBytes"/> of them.</summary>
    public SegmentCursor Payload => _payload;

    /// <summary>Bytes of the payload that belong to this frame.</summary>
    public int PayloadBytes { get; private set; }

    /// <summary>Bytes of the frame.</summary>
    public int FrameBytes => _frontBytes + PayloadBytes;

    /// <summary>Frames that the packet gives.</summary>
    public int Count { get; private set; }

    /// <summary>The number of this one, from 0.</summary>
    public int Index => _index;

    /// <summary>Bytes of this frame that were added up for its checksum; 0: it was not computed.</summary>
    public int BytesSummed { get; private set; }

    /// <summary>Takes a frame, and prepares the first that is made of it.</summary>
    /// <param name="header">The sender's, after <see cref="NetHeader.TrySanitize"/>.</param>
    /// <param name="frame">The frame behind it. It must stay mapped until the last frame is copied.</param>
    /// <param name="receiverFeatures">What the receiver accepted.</param>
    /// <param name="receiverMtu">The longest IP packet that the receiver takes; <see cref="int.MaxValue"/> if it never said.</param>
    /// <returns>Why nothing can be made of it; null if something can.</returns>
    public DropReason? Begin(in NetHeader header, SegmentCursor frame, ulong receiverFeatures, int receiverMtu)
    {
        (_index, _offset, BytesSummed) = (0, 0, 0);
        _cuts = header.GsoType != NetHeader.GsoNone;
        _completes = (header.Flags & NetHeader.NeedsChecksum) != 0 && (receiverFeatures & Features.NetGuestChecksum) == 0;
        return _cuts ? BeginCut(header, frame, receiverFeatures, receiverMtu) : BeginWhole(header, frame);
    }

    /// <summary>Goes on to the next frame.</summary>
    /// <returns>False if that was the last.</returns>
    public bool MoveNext()
    {
        if (_index + 1 >= Count)
            return false;
        _payload.Advance((ulong)PayloadBytes);
        _offset += PayloadBytes;
        _index++;
        PrepareSegment();
        return true;
    }

    /// <summary>A frame that only wants its checksum.</summary>
    private DropReason? BeginWhole(in NetHeader header, SegmentCursor frame)
    {
        int end = header.ChecksumStart + header.ChecksumOffset + sizeof(ushort);
        if (!_completes)
            end = 0;
        if (end > MaxFrontBytes)
            return DropReason.BadOffload;
        _frontBytes = frame.Read(_front.AsSpan(0, end));
        (Count, _payload, PayloadBytes) = (1, frame, (int)frame.Remaining);
        Header = _completes ? default : header;
        if (_completes)
            CompleteChecksum(header.ChecksumStart, header.ChecksumOffset, zeroMeansNone: true);
        return null;
    }

    /// <summary>A packet that is larger than its segments.</summary>
    private DropReason? BeginCut(in NetHeader header, SegmentCursor frame, ulong receiverFeatures, int receiverMtu)
    {
        var front = _front.AsSpan(0, Math.Min(MaxFrontBytes, header.ChecksumStart + MaxTransportBytes));
        var whole = frame;
        _frontBytes = frame.Read(front);
        if (!SegmentHeaders.TryRead(header, front[.._frontBytes], whole.Remaining, out _headers))
            return DropReason.BadOffload;
        if ((Needed(header) & ~receiverFeatures) == 0)
        {
            // USO of the one IP version that the receiver accepted: only the packet told.
            (Header, _frontBytes, _payload, PayloadBytes, Count) = (header, 0, whole, (int)whole.Remaining, 1);
            return null;
        }
        _frontBytes = _headers.Bytes;
        whole.Advance((ulong)_frontBytes);
        (_payload, _wholePayload, _segmentBytes) = (whole, (int)whole.Remaining, header.GsoSize);
        int room = receiverMtu - _headers.BytesFromNetwork;
        if (Math.Min(_segmentBytes, _wholePayload) > room)
        {
            // TCP is a stream, and may be cut anywhere; a datagram may not.
            if (!_headers.IsTcp || room <= 0)
                return DropReason.AboveMtu;
            _segmentBytes = room;
        }
        Count = Math.Max(1, (_wholePayload + _segmentBytes - 1) / _segmentBytes);
        PrepareSegment();
        return null;
    }

    private ulong Needed(in NetHeader header)
    {
        ulong needed = header.NeededToReceive();
        return header.GsoType != NetHeader.GsoUdpL4 ? needed
            : needed & ~(_headers.IsIpv6 ? Features.NetGuestUso4 : Features.NetGuestUso6);
    }

    private void PrepareSegment()
    {
        PayloadBytes = Math.Min(_segmentBytes, _wholePayload - _offset);
        _headers.Write(_front, _index, _offset, PayloadBytes, isLast: _index + 1 == Count);
        if (_completes)
        {
            CompleteChecksum(_headers.ChecksumStart, _headers.ChecksumOffset, zeroMeansNone: !_headers.IsTcp);
            Header = default;
            return;
        }
        Header = new NetHeader
        {
            Flags = NetHeader.NeedsChecksum,
            ChecksumStart = (ushort)_headers.ChecksumStart,
            ChecksumOffset = (ushort)_headers.ChecksumOffset,
        };
    }

    /// <summary>Replaces the sum of the pseudo header by the checksum.</summary>
    /// <param name="start">csum_start.</param>
    /// <param name="offset">csum_offset.</param>
    /// <param name="zeroMeansNone">A checksum of 0 says "none" in UDP (RFC 768), and is as good as 0xffff elsewhere.</param>
    private void CompleteChecksum(int start, int offset, bool zeroMeansNone)
    {
        var covered = _front.AsSpan(start, _frontBytes - start);
        var payload = _payload;
        // An odd front: its last byte and the payload's first are one word, which both sums fill with a zero.
        ushort ofPayload = GuestChecksum.Add(0, ref payload, (ulong)PayloadBytes);
        if ((covered.Length & 1) != 0)
            ofPayload = BinaryPrimitives.ReverseEndianness(ofPayload);
        ushort checksum = (ushort)~GuestChecksum.Add(ofPayload, covered);
        BinaryPrimitives.WriteUInt16BigEndian(covered[offset..], checksum == 0 && zeroMeansNone ? ushort.MaxValue : checksum);
        BytesSummed = covered.Length + PayloadBytes;
    }
}
