using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>Packets of a hostile sender: what cannot be cut is dropped with a reason, and nothing else happens.</summary>
public sealed class MalformedTests : IDisposable
{
    private readonly TranslatorFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private static readonly Dictionary<string, (Kind Kind, Func<Packet, Packet> Spoil)> Packets = new()
    {
        { "another csum_start", (Kind.Tcp4, p => p with { Header = p.Header with { ChecksumStart = 36 } }) },
        { "another csum_offset", (Kind.Tcp4, p => p with { Header = p.Header with { ChecksumOffset = 6 } }) },
        { "TCPv6 that is TCPv4", (Kind.Tcp4, p => p with { Header = p.Header with { GsoType = NetHeader.GsoTcp6 } }) },
        { "TCPv4 that is TCPv6", (Kind.Tcp6, p => p with { Header = p.Header with { GsoType = NetHeader.GsoTcp4 } }) },
        { "TCP that is UDP", (Kind.Udp4, p => p with { Header = p.Header with { GsoType = NetHeader.GsoTcp4, ChecksumOffset = 16 } }) },
        { "UDP that is TCP", (Kind.Tcp4, p => p with { Header = p.Header with { GsoType = NetHeader.GsoUdpL4, ChecksumOffset = 6 } }) },
        { "UDP with ECN", (Kind.Udp4, p => p with { Header = p.Header with { GsoType = NetHeader.GsoUdpL4 | NetHeader.GsoEcn } }) },
        { "UDP to be fragmented", (Kind.Udp4, p => p with { Header = p.Header with { GsoType = NetHeader.GsoUdp } }) },
        { "ARP", (Kind.Tcp4, p => With(p, 12, 0x08, 0x06)) },
        { "a third VLAN tag", (Kind.Tagged, p => With(p, 20, 0x81, 0x00)) },
        { "IP version 5", (Kind.Tcp4, p => With(p, 14, 0x55)) },
        { "IPv4 in an IPv6 frame", (Kind.Tcp6, p => With(p, 14, 0x45)) },
        { "an IPv4 header of 16 bytes", (Kind.Tcp4, p => With(p, 14, 0x44)) },
        { "an IPv4 header of 60 bytes", (Kind.Tcp4, p => With(p, 14, 0x4f)) },
        { "a first fragment", (Kind.Tcp4, p => With(p, 20, 0x20)) },
        { "a later fragment", (Kind.Tcp4, p => With(p, 21, 1)) },
        { "a TCP header of 16 bytes", (Kind.Tcp4, p => With(p, 34 + 12, 0x40)) },
        { "an IPv6 fragment header", (Kind.Tcp6, p => With(p, 20, 44)) },
        { "an authentication header", (Kind.Tcp6, p => With(p, 20, 51)) },
        { "an extension header that leads nowhere", (Kind.Tcp6, p => With(With(p, 20, 0), 55, 0xff)) },
        { "a frame that ends in its IP header", (Kind.Tcp4, p => p with { Frame = p.Frame[..30], Header = p.Header with { ChecksumStart = 10 } }) },
        { "a frame that ends in its TCP header", (Kind.Tcp4, p => p with { Frame = p.Frame[..53] }) },
        { "a frame that ends in its TCP options", (Kind.Tcp4, p => With(p, 34 + 12, 0xf0) with { Frame = With(p, 34 + 12, 0xf0).Frame[..90] }) },
        { "a frame that ends in its UDP header", (Kind.Udp4, p => p with { Frame = p.Frame[..41] }) },
    };

    private enum Kind
    {
        Tcp4,
        Tcp6,
        Udp4,
        Tagged,
    }

    public static TheoryData<string> Names => [.. Packets.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void AreDropped(string what)
    {
        var (kind, spoil) = Packets[what];
        var packet = new PacketShape
        {
            Ipv6 = kind == Kind.Tcp6,
            Udp = kind == Kind.Udp4,
            Tags = kind == Kind.Tagged ? 2 : 0,
        }.Build(new Random(1), 3000);
        Assert.Null(_fixture.Translate(packet.Header, packet.Frame, [int.MaxValue]).Reason);
        var spoilt = spoil(packet);
        Assert.Equal(DropReason.BadOffload, _fixture.Translate(spoilt.Header, spoilt.Frame, [int.MaxValue]).Reason);
    }

    [Fact]
    public void ExtensionHeadersBeyondAllUse()
    {
        var shape = new PacketShape { Ipv6 = true, Extensions = [(60, 100), (60, 100)] };
        var packet = shape.Build(new Random(1), 3000);
        Assert.Equal(DropReason.BadOffload, _fixture.Translate(packet.Header, packet.Frame, [int.MaxValue]).Reason);
        packet = (shape with { Extensions = [(60, 100)] }).Build(new Random(1), 3000);
        Assert.Null(_fixture.Translate(packet.Header, packet.Frame, [int.MaxValue]).Reason);
    }

    /// <summary>Whatever the bytes: a reason, or frames whose lengths follow from the packet.</summary>
    [Fact]
    public void BytesChangedAnywhereDoNoHarm()
    {
        int cut = 0, dropped = 0;
        for (int seed = 0; seed < 3000; seed++)
        {
            var random = new Random(seed);
            var packet = Packet.Random(random, 40);
            byte[] frame = [.. packet.Frame];
            for (int i = random.Next(1, 4); i > 0; i--)
                frame[random.Next(packet.HeaderBytes)] = (byte)random.Next(256);
            frame = frame[..random.Next(14, frame.Length + 1)];
            var header = random.Next(3) > 0 ? packet.Header : packet.Header with
            {
                GsoType = new[] { NetHeader.GsoNone, NetHeader.GsoTcp4, NetHeader.GsoTcp6, NetHeader.GsoUdpL4 }[random.Next(4)],
                GsoSize = (ushort)random.Next(1, 0x10000),
                ChecksumStart = (ushort)random.Next(120),
                ChecksumOffset = (ushort)random.Next(30),
            };
            if (!header.TrySanitize((ulong)frame.Length))
                continue;
            var (reason, made) = _fixture.Translate(header, frame, TranslatorFixture.RandomPieces(random, frame.Length), 0, random.Next(2) == 0 ? 1500 : int.MaxValue);
            if (reason == null)
                cut++;
            else
                dropped++;
            int most = made.Count == 0 ? 0 : made.Max(m => m.Bytes.Length);
            Assert.InRange(most, 0, frame.Length);
            Assert.True(header.GsoType == NetHeader.GsoNone || most - 200 <= header.GsoSize);
        }
        Assert.InRange(cut, 300, 3000);
        Assert.InRange(dropped, 300, 3000);
    }

    private static Packet With(Packet packet, int at, params byte[] bytes)
    {
        byte[] frame = [.. packet.Frame];
        bytes.CopyTo(frame, at);
        return packet with { Frame = frame };
    }
}
