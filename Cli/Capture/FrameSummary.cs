using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;

namespace InterGuest.Cli.Capture;

/// <summary>A frame in a few words, for a quick look: the rest is tcpdump's and Wireshark's.</summary>
internal static class FrameSummary
{
    private static readonly Dictionary<int, string> Protocols = new() { [1] = "icmp", [2] = "igmp", [6] = "tcp", [17] = "udp", [58] = "icmp6", [132] = "sctp" };

    public static string Of(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < 14)
            return "too short";
        int at = 12;
        while (at + 6 <= frame.Length && U16(frame, at) is 0x8100 or 0x88a8)
            at += 4;
        string tag = at > 12 ? $"vlan {U16(frame, at - 2) & 0xfff} " : "";
        var packet = frame[(at + 2)..];
        return tag + U16(frame, at) switch
        {
            0x0800 when packet.Length >= 20 => Ip(packet, packet[9], packet[12..16], packet[16..20], (packet[0] & 15) * 4, U16(packet, 6) & 0x1fff),
            0x86dd when packet.Length >= 40 => Ip(packet, packet[6], packet[8..24], packet[24..40], 40, 0),
            0x0806 when packet.Length >= 28 => U16(packet, 6) == 1
                ? $"arp who has {new IPAddress(packet[24..28])}, tell {new IPAddress(packet[14..18])}"
                : $"arp {new IPAddress(packet[14..18])} is at {Mac(packet[8..14])}",
            var type => $"{Mac(frame[6..12])} > {Mac(frame[..6])} ethertype 0x{type:x4}",
        };
    }

    private static string Ip(ReadOnlySpan<byte> packet, byte protocol, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to, int payload, int fragment)
    {
        string word = Protocols.GetValueOrDefault(protocol, $"protocol {protocol}");
        bool ports = protocol is 6 or 17 && fragment == 0 && packet.Length >= payload + 4;
        return ports
            ? $"{word} {new IPEndPoint(new IPAddress(from), U16(packet, payload))} > {new IPEndPoint(new IPAddress(to), U16(packet, payload + 2))}"
            : $"{word} {new IPAddress(from)} > {new IPAddress(to)}";
    }

    private static string Mac(ReadOnlySpan<byte> bytes) =>
        string.Join(':', new PhysicalAddress(bytes.ToArray()).ToString().ToLowerInvariant().Chunk(2).Select(pair => new string(pair)));

    private static int U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);
}
