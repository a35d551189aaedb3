using System.Buffers.Binary;

namespace InterGuest.Switch.DataPath.Capture;

/// <summary>
/// What a filter looks at in a frame: Ethernet with up to two VLAN tags, ARP, IPv4 and IPv6 with extension headers, ports of TCP and
/// UDP. Fields that the frame has not, or that are beyond what is seen of it, are not there.
/// </summary>
internal readonly ref struct PacketFields
{
    public const int Ip4 = 0x0800, Arp = 0x0806, Ip6 = 0x86dd;
    public const int Icmp = 1, Tcp = 6, Udp = 17, Icmp6 = 58;
    private const int Vlan = 0x8100, ServiceVlan = 0x88a8;
    private const int MaxExtensions = 4;

    public PacketFields(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < 14)
            return;
        EtherDestination = frame[..6];
        EtherSource = frame[6..12];
        int at = 12;
        for (int tags = 0; tags < 2 && frame.Length >= at + 6 && U16(frame, at) is Vlan or ServiceVlan; tags++)
            at += 4;
        EtherType = U16(frame, at);
        var packet = frame[(at + 2)..];
        switch (EtherType)
        {
            case Arp when packet.Length >= 28:
                Source = packet[14..18];
                Destination = packet[24..28];
                break;
            case Ip4 when packet.Length >= 20:
                Source = packet[12..16];
                Destination = packet[16..20];
                Protocol = packet[9];
                // Only the first fragment has the ports.
                if ((U16(packet, 6) & 0x1fff) == 0)
                    (SourcePort, DestinationPort) = Ports(packet, (packet[0] & 15) * 4);
                break;
            case Ip6 when packet.Length >= 40:
                Source = packet[8..24];
                Destination = packet[24..40];
                (Protocol, int payload) = PayloadOf(packet);
                (SourcePort, DestinationPort) = Ports(packet, payload);
                break;
        }
    }

    public ReadOnlySpan<byte> EtherSource { get; }

    public ReadOnlySpan<byte> EtherDestination { get; }

    public int EtherType { get; }

    /// <summary>IP's, or ARP's sender: 4 or 16 bytes, or none.</summary>
    public ReadOnlySpan<byte> Source { get; }

    /// <summary>IP's, or ARP's target.</summary>
    public ReadOnlySpan<byte> Destination { get; }

    /// <summary>Above IP; 0: none (or IPv6 hop-by-hop options, which are no protocol).</summary>
    public int Protocol { get; }

    /// <summary>Of TCP or UDP; -1: none.</summary>
    public int SourcePort { get; } = -1;

    /// <summary>Of TCP or UDP; -1: none.</summary>
    public int DestinationPort { get; } = -1;

    private (int Source, int Destination) Ports(ReadOnlySpan<byte> packet, int at) =>
        Protocol is Tcp or Udp && at >= 20 && packet.Length >= at + 4 ? (U16(packet, at), U16(packet, at + 2)) : (-1, -1);

    /// <summary>The protocol behind IPv6's extension headers, and where it begins; not behind a later fragment's header.</summary>
    private static (int Protocol, int At) PayloadOf(ReadOnlySpan<byte> packet)
    {
        int protocol = packet[6], at = 40;
        for (int i = 0; i < MaxExtensions && packet.Length >= at + 8; i++)
        {
            bool isFragment = protocol == 44;
            if (protocol is not (0 or 43 or 60) && !isFragment)
                break;
            if (isFragment && (U16(packet, at + 2) & 0xfff8) != 0)
                return (packet[at], int.MaxValue - 8);
            int length = isFragment ? 8 : (packet[at + 1] + 1) * 8;
            (protocol, at) = (packet[at], at + length);
        }
        return (protocol, at);
    }

    private static int U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);
}
