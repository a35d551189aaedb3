using System.Buffers.Binary;
using System.Net;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Capture;

namespace InterGuest.Switch.Tests.DataPath.Capture;

/// <summary>Filters in tcpdump's words mean what they mean there (pcap-filter(7)).</summary>
public sealed class FilterTests
{
    private static readonly Dictionary<string, byte[]> Packets = new()
    {
        ["arp"] = Arp("10.0.0.1", "10.0.0.2"),
        ["http"] = Ip4(6, "10.0.0.1", "10.0.0.2", 4000, 80),
        ["dns"] = Ip4(17, "10.0.0.2", "192.168.7.9", 5353, 53),
        ["ping"] = Ip4(1, "10.0.0.1", "10.0.0.2", 2048, 0),
        ["fragment"] = Ip4(17, "10.0.0.1", "10.0.0.2", 53, 53, fragment: 185),
        ["tagged"] = Tagged(Ip4(6, "10.0.0.1", "10.0.0.2", 4000, 22)),
        ["http6"] = Ip6(6, "fd00::1", "fd00::2", 4000, 80),
        ["options6"] = Ip6(0, "fd00::1", "fd00::2", 4000, 53, inner: 17),
        ["ping6"] = Ip6(58, "fd00::1", "fd00::2", 128, 0),
    };

    [Theory]
    [InlineData("ip", "http dns ping fragment tagged")]
    [InlineData("ip6", "http6 options6 ping6")]
    [InlineData("arp", "arp")]
    [InlineData("tcp", "http tagged http6")]
    [InlineData("udp", "dns fragment options6")]
    [InlineData("icmp", "ping")]
    [InlineData("icmp6", "ping6")]
    [InlineData("port 80", "http http6")]
    [InlineData("port 53", "dns options6")]
    [InlineData("udp port 53", "dns options6")]
    [InlineData("tcp port 53", "")]
    [InlineData("src port 4000 and tcp", "http tagged http6")]
    [InlineData("dst port 4000", "")]
    [InlineData("host 10.0.0.1", "arp http ping fragment tagged")]
    [InlineData("src host 10.0.0.2", "dns")]
    [InlineData("dst host fd00::2", "http6 options6 ping6")]
    [InlineData("net 192.168.0.0/16", "dns")]
    [InlineData("net 10.0.0.2/31", "arp http dns ping fragment tagged")]
    [InlineData("src net fd00::/8", "http6 options6 ping6")]
    [InlineData("net 0.0.0.0/0", "arp http dns ping fragment tagged")]
    [InlineData("ether host 02:00:00:00:00:01", "arp http dns ping fragment tagged http6 options6 ping6")]
    [InlineData("ether dst host 02:00:00:00:00:01", "")]
    [InlineData("not ip", "arp http6 options6 ping6")]
    [InlineData("! ip && !arp", "http6 options6 ping6")]
    [InlineData("arp or icmp", "arp ping")]
    [InlineData("icmp or tcp and port 22", "ping tagged")]
    [InlineData("(icmp or tcp) and host 10.0.0.1", "http ping tagged")]
    [InlineData("not (ip or ip6)", "arp")]
    [InlineData("TCP PORT 80", "http http6")]
    [InlineData("dropped", "ping")]
    [InlineData("not dropped and ip", "http dns fragment tagged")]
    public void AFilterWants(string text, string expected)
    {
        var filter = FilterParser.Parse(text)!;
        var wanted = Packets.Where(p => filter.Wants(p.Value, p.Value.Length, p.Key == "ping" ? DropReason.NoBuffers : null)).Select(p => p.Key);
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries), wanted);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    public void AnEmptyFilterIsNone(string text) => Assert.Null(FilterParser.Parse(text));

    [Theory]
    [InlineData("tcp and", "at the end")]
    [InlineData("tcp udp", "at 'udp' (character 5): expected 'and', 'or' or the end")]
    [InlineData("host example.org", "names are not looked up")]
    [InlineData("host 10.0.1", "at '10.0.1'")]
    [InlineData("port 65536", "expected a port number")]
    [InlineData("port http", "expected a port number")]
    [InlineData("net 10.0.0.0/33", "expected ADDRESS/BITS")]
    [InlineData("net 10.0.0.0", "expected ADDRESS/BITS")]
    [InlineData("(tcp", "expected ')'")]
    [InlineData("tcp)", "at ')'")]
    [InlineData("src tcp", "expected 'host', 'net' or 'port'")]
    [InlineData("ether host 1:2", "expected a MAC address")]
    [InlineData("tcp src host 1.2.3.4", "expected 'port'")]
    [InlineData("nonsense", "at 'nonsense' (character 1)")]
    [InlineData("tcp & udp", "at '&'")]
    public void WhatIsNoFilterIsSaidWithItsPlace(string text, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => FilterParser.Parse(text)).Message, StringComparison.Ordinal);

    /// <summary>From any client: neither the stack nor time may end.</summary>
    [Theory]
    [InlineData('(')]
    [InlineData('!')]
    public void ADeepFilterIsRefused(char deep) => Assert.Throws<FormatException>(() => FilterParser.Parse(new string(deep, 4000) + "ip"));

    [Fact]
    public void ALongFilterIsRefused() => Assert.Throws<FormatException>(() => FilterParser.Parse("ip" + new string(' ', 5000)));

    /// <summary>Guests make frames: whatever they are and wherever they are cut, a filter answers.</summary>
    [Fact]
    public void NoFrameIsTooStrange()
    {
        var filters = "tcp port 80;host fd00::1 or net 10.0.0.0/8;icmp6 or not arp;ether host 02:00:00:00:00:01".Split(';').Select(t => FilterParser.Parse(t)!).ToList();
        var random = new Random(1);
        foreach (byte[] packet in Packets.Values)
        {
            for (int length = 0; length <= packet.Length; length++)
            {
                filters.ForEach(f => f.Wants(packet.AsSpan(0, length), length, null));
                byte[] spoilt = packet[..length];
                for (int i = 0; i < 20 && length > 0; i++)
                {
                    spoilt[random.Next(length)] = (byte)random.Next(256);
                    filters.ForEach(f => f.Wants(spoilt, length, null));
                }
            }
        }
    }

    private static byte[] Frame(int type, byte[] payload)
    {
        byte[] frame = [0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, (byte)(type >> 8), (byte)type, .. payload];
        return frame;
    }

    private static byte[] Tagged(byte[] frame) => [.. frame[..12], 0x81, 0, 0, 5, .. frame[12..]];

    private static byte[] Arp(string sender, string target)
    {
        byte[] arp = new byte[28];
        IPAddress.Parse(sender).GetAddressBytes().CopyTo(arp, 14);
        IPAddress.Parse(target).GetAddressBytes().CopyTo(arp, 24);
        return Frame(0x0806, arp);
    }

    private static byte[] Ip4(byte protocol, string from, string to, int first, int second, int fragment = 0)
    {
        byte[] packet = new byte[28];
        (packet[0], packet[9]) = (0x45, protocol);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), (ushort)fragment);
        IPAddress.Parse(from).GetAddressBytes().CopyTo(packet, 12);
        IPAddress.Parse(to).GetAddressBytes().CopyTo(packet, 16);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(20), (ushort)first);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(22), (ushort)second);
        return Frame(0x0800, packet);
    }

    /// <summary>With protocol 0, hop-by-hop options, behind which is the inner one.</summary>
    private static byte[] Ip6(byte protocol, string from, string to, int first, int second, byte inner = 0)
    {
        byte[] packet = new byte[40];
        (packet[0], packet[6]) = (0x60, protocol);
        IPAddress.Parse(from).GetAddressBytes().CopyTo(packet, 8);
        IPAddress.Parse(to).GetAddressBytes().CopyTo(packet, 24);
        byte[] options = protocol == 0 ? [inner, 0, 1, 4, 0, 0, 0, 0] : [];
        byte[] ports = [(byte)(first >> 8), (byte)first, (byte)(second >> 8), (byte)second, 0, 0, 0, 0];
        return Frame(0x86dd, [.. packet, .. options, .. ports]);
    }
}
