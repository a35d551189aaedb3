using System.Buffers.Binary;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>A packet as a driver sends it with offloads, made without the code under test.</summary>
/// <param name="Header">Its virtio-net header.</param>
/// <param name="Frame">The frame, with the pseudo header's sum in the place of the checksum (VIRTIO 1.2, 5.1.6.2).</param>
/// <param name="Pseudo">That sum, without the length.</param>
/// <param name="Network">Where the IP header begins.</param>
/// <param name="HeaderBytes">Bytes of all protocol headers.</param>
internal sealed record Packet(NetHeader Header, byte[] Frame, ushort Pseudo, int Network, int HeaderBytes)
{
    public byte[] Payload => Frame[HeaderBytes..];

    public bool IsTcp => Header.ChecksumOffset == 16;

    /// <summary>A packet of any shape: tags, IPv4 options, IPv6 extension headers, TCP options, flags.</summary>
    public static Packet Random(Random random, int maxSegments, bool? udp = null, bool? ipv6 = null)
    {
        var shape = new PacketShape
        {
            Tags = random.Next(3),
            Ipv6 = ipv6 ?? random.Next(2) == 0,
            Udp = udp ?? random.Next(3) == 0,
            IpOptionWords = random.Next(2) * random.Next(11),
            Extensions = [.. Enumerable.Range(0, random.Next(2) * random.Next(4)).Select(_ => (new byte[] { 0, 43, 60 }[random.Next(3)], random.Next(3)))],
            TcpOptionWords = random.Next(11),
            TcpFlags = (byte)random.Next(256),
            SegmentBytes = random.Next(4) == 0 ? random.Next(1, 100) : random.Next(500, 9000),
        };
        int most = Math.Min(65535 - 40 - 40 - 200, shape.SegmentBytes * maxSegments);
        return shape.Build(random, random.Next(1, most + 1));
    }

    /// <summary>One's complement sum, one word at a time.</summary>
    public static ushort Sum(ReadOnlySpan<byte> bytes, uint sum = 0)
    {
        for (int i = 0; i < bytes.Length; i++)
            sum = Fold(sum + (i % 2 == 0 ? (uint)bytes[i] << 8 : bytes[i]));
        return (ushort)Fold(sum);
    }

    private static uint Fold(uint sum) => (sum & 0xffff) + (sum >> 16);
}

/// <summary>What a <see cref="Packet"/> is made of.</summary>
internal sealed record PacketShape
{
    public int Tags { get; init; }

    public bool Ipv6 { get; init; }

    public bool Udp { get; init; }

    /// <summary>In 4 bytes.</summary>
    public int IpOptionWords { get; init; }

    /// <summary>IPv6 extension headers: number, and length beyond the first 8 bytes, in 8 bytes.</summary>
    public (byte Type, int More)[] Extensions { get; init; } = [];

    /// <summary>In 4 bytes.</summary>
    public int TcpOptionWords { get; init; }

    public byte TcpFlags { get; init; } = 0x10;

    /// <summary>gso_size.</summary>
    public int SegmentBytes { get; init; } = 1448;

    /// <summary>The packet with so many random bytes as its payload.</summary>
    public Packet Build(Random random, int payloadBytes)
    {
        List<byte> frame = [2, 2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 2];
        for (int i = 0; i < Tags; i++)
            frame.AddRange([(byte)(i == 0 && Tags > 1 ? 0x88 : 0x81), (byte)(i == 0 && Tags > 1 ? 0xa8 : 0), 0, (byte)(5 + i)]);
        frame.AddRange(Ipv6 ? [0x86, 0xdd] : [0x08, 0x00]);
        int network = frame.Count;
        int transportBytes = Udp ? 8 : 20 + TcpOptionWords * 4;
        byte[] addresses = Bytes(random, Ipv6 ? 32 : 8);
        AddIp(frame, random, addresses, transportBytes + payloadBytes);
        int transport = frame.Count;
        byte protocol = (byte)(Udp ? 17 : 6);
        ushort pseudo = Packet.Sum(addresses, protocol);
        AddTransport(frame, random, payloadBytes, Packet.Sum(Word(transportBytes + payloadBytes), pseudo));
        int headerBytes = frame.Count;
        frame.AddRange(Bytes(random, payloadBytes));
        byte type = Udp ? NetHeader.GsoUdpL4 : Ipv6 ? NetHeader.GsoTcp6 : NetHeader.GsoTcp4;
        bool isEcn = !Udp && (TcpFlags & 0x80) != 0 && random.Next(2) == 0;
        return new Packet(
            new NetHeader
            {
                Flags = NetHeader.NeedsChecksum,
                GsoType = (byte)(type | (isEcn ? NetHeader.GsoEcn : 0)),
                GsoSize = (ushort)SegmentBytes,
                HeaderLength = (ushort)headerBytes,
                ChecksumStart = (ushort)transport,
                ChecksumOffset = (ushort)(Udp ? 6 : 16),
            },
            [.. frame], pseudo, network, headerBytes);
    }

    private void AddIp(List<byte> frame, Random random, byte[] addresses, int length)
    {
        byte protocol = (byte)(Udp ? 17 : 6);
        if (!Ipv6)
        {
            int bytes = 20 + IpOptionWords * 4;
            byte[] options = new byte[IpOptionWords * 4];
            Array.Fill(options, (byte)1); // no operation
            byte[] ip = [(byte)(0x40 + bytes / 4), (byte)random.Next(256), .. Word(bytes + length), .. Bytes(random, 2), 0x40, 0, 64, protocol, 0, 0, .. addresses, .. options];
            BinaryPrimitives.WriteUInt16BigEndian(ip.AsSpan(10), (ushort)~Packet.Sum(ip));
            frame.AddRange(ip);
            return;
        }
        byte[] chain = [.. Extensions.Select(e => e.Type), protocol];
        List<byte> extensions = [];
        for (int i = 0; i < Extensions.Length; i++)
            extensions.AddRange([chain[i + 1], (byte)Extensions[i].More, 1, (byte)(Extensions[i].More * 8 + 4), .. new byte[Extensions[i].More * 8 + 4]]); // PadN
        frame.AddRange([0x60, .. Bytes(random, 3), .. Word(extensions.Count + length), chain[0], 64, .. addresses, .. extensions]);
    }

    private void AddTransport(List<byte> frame, Random random, int payloadBytes, ushort partial)
    {
        byte[] ports = Bytes(random, 4);
        if (Udp)
        {
            frame.AddRange([.. ports, .. Word(8 + payloadBytes), .. Word(partial)]);
            return;
        }
        byte[] options = new byte[TcpOptionWords * 4];
        Array.Fill(options, (byte)1);
        frame.AddRange([.. ports, .. Bytes(random, 8), (byte)((5 + TcpOptionWords) << 4), TcpFlags, .. Bytes(random, 2), .. Word(partial), .. Bytes(random, 2), .. options]);
    }

    private static byte[] Word(int value) => [(byte)(value >> 8), (byte)value];

    private static byte[] Bytes(Random random, int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
