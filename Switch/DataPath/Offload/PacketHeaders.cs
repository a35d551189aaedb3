using System.Buffers.Binary;

namespace InterGuest.Switch.DataPath.Offload;

/// <summary>Where the headers of a packet lie in its frame, in bytes from the frame's beginning.</summary>
/// <param name="Network">The IP header.</param>
/// <param name="Transport">What is behind the IP header with its options or extension headers.</param>
/// <param name="IsIpv6">Else IPv4.</param>
/// <param name="Protocol">The number of the transport's protocol.</param>
internal readonly record struct PacketHeaders(int Network, int Transport, bool IsIpv6, byte Protocol)
{
    public const byte Tcp = 6, Udp = 17;

    /// <summary>TPID of a VLAN tag (IEEE 802.1Q), and of an outer one (802.1ad).</summary>
    private const ushort VlanTag = 0x8100, ServiceTag = 0x88a8;

    private const ushort Ipv4 = 0x0800, Ipv6 = 0x86dd;
    private const int EtherTypeOffset = 12, MaxTags = 2, TagBytes = 4;

    /// <summary>An Ethernet header with the most tags.</summary>
    public const int MaxEthernetBytes = EtherTypeOffset + MaxTags * TagBytes + sizeof(ushort);

    // Extension headers that all segments of a packet may share (RFC 8200, 4). Not the fragment header: a fragment has only a
    // part of its transport's data, and not an authentication header, which holds for one packet alone.
    private const byte HopByHop = 0, Routing = 43, DestinationOptions = 60;

    /// <summary>Finds the headers of a packet that could be segmented: IP behind up to two VLAN tags, and no fragment.</summary>
    /// <param name="front">The frame's beginning: our copy.</param>
    /// <param name="headers">All offsets lie inside <paramref name="front"/>, <see cref="Transport"/> perhaps at its end.</param>
    public static bool TryFind(ReadOnlySpan<byte> front, out PacketHeaders headers)
    {
        headers = default;
        int network = NetworkOffset(front);
        if (network > front.Length)
            return false;
        return BinaryPrimitives.ReadUInt16BigEndian(front[(network - sizeof(ushort))..]) switch
        {
            Ipv4 => TryFindIpv4(front, network, out headers),
            Ipv6 => TryFindIpv6(front, network, out headers),
            _ => false,
        };
    }

    /// <summary>Where the packet begins in its frame: behind up to two VLAN tags and the EtherType.</summary>
    /// <param name="front">The frame's beginning; the result lies behind it if it is too short.</param>
    public static int NetworkOffset(ReadOnlySpan<byte> front)
    {
        int at = EtherTypeOffset;
        for (int tags = 0; tags < MaxTags && front.Length >= at + sizeof(ushort); tags++, at += TagBytes)
            if (BinaryPrimitives.ReadUInt16BigEndian(front[at..]) is not (VlanTag or ServiceTag))
                break;
        return at + sizeof(ushort);
    }

    private static bool TryFindIpv4(ReadOnlySpan<byte> front, int network, out PacketHeaders headers)
    {
        headers = default;
        if (front.Length < network + Ipv4Header.MinBytes)
            return false;
        var ip = front[network..];
        int bytes = (ip[0] & 15) * 4;
        bool isFragment = (BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv4Header.FragmentOffset..]) & Ipv4Header.FragmentMask) != 0;
        headers = new PacketHeaders(network, network + bytes, false, ip[Ipv4Header.ProtocolOffset]);
        return ip[0] >> 4 == 4 && bytes >= Ipv4Header.MinBytes && bytes <= ip.Length && !isFragment;
    }

    private static bool TryFindIpv6(ReadOnlySpan<byte> front, int network, out PacketHeaders headers)
    {
        headers = default;
        if (front.Length < network + Ipv6Header.Bytes || front[network] >> 4 != 6)
            return false;
        byte next = front[network + Ipv6Header.NextHeaderOffset];
        int at = network + Ipv6Header.Bytes;
        while (next is HopByHop or Routing or DestinationOptions)
        {
            if (at + 2 > front.Length)
                return false;
            next = front[at];
            at += (front[at + 1] + 1) * 8;
        }
        headers = new PacketHeaders(network, at, true, next);
        return at <= front.Length;
    }
}

/// <summary>Where the fields of an IPv4 header are (RFC 791, 3.1).</summary>
internal static class Ipv4Header
{
    public const int MinBytes = 20;
    public const int TotalLengthOffset = 2;
    public const int IdentificationOffset = 4;
    public const int FragmentOffset = 6;
    public const int ProtocolOffset = 9;
    public const int ChecksumOffset = 10;

    /// <summary>More fragments, and the offset: 0 in a packet that is whole.</summary>
    public const ushort FragmentMask = 0x3fff;
}

/// <summary>Where the fields of an IPv6 header are (RFC 8200, 3).</summary>
internal static class Ipv6Header
{
    public const int Bytes = 40;
    public const int PayloadLengthOffset = 4;
    public const int NextHeaderOffset = 6;
}
