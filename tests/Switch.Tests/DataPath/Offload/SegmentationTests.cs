using System.Buffers.Binary;
using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>Packets cut by gso_size (VIRTIO 1.2, 5.1.6.2): each segment is right in itself, and together they are the packet.</summary>
public sealed class SegmentationTests : IDisposable
{
    private readonly TranslatorFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 400)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void SegmentsTogetherAreThePacket(int seed)
    {
        var random = new Random(seed);
        var packet = Packet.Random(random, 300);
        bool partial = random.Next(3) == 0;
        var made = Made(packet, random, partial ? Features.NetGuestChecksum : 0);
        Assert.Equal((packet.Payload.Length + packet.Header.GsoSize - 1) / packet.Header.GsoSize, made.Count);
        Assert.Equal(packet.Payload, made.SelectMany(m => m.Bytes[packet.HeaderBytes..]));
        for (int i = 0; i < made.Count; i++)
        {
            Assert.True(i == made.Count - 1 || made[i].Bytes.Length == packet.HeaderBytes + packet.Header.GsoSize);
            AssertIp(packet, made[i].Bytes, i);
            if (packet.IsTcp)
                AssertTcp(packet, made[i].Bytes, i, i == made.Count - 1);
            else
                Assert.Equal(made[i].Bytes.Length - packet.HeaderBytes + 8, Word(made[i].Bytes, packet.Header.ChecksumStart + 4));
            AssertChecksum(packet, made[i], partial);
        }
    }

    [Theory]
    [InlineData(576)]
    [InlineData(1280)]
    [InlineData(1500)]
    public void TcpIsCutToTheReceiversMtuAndDatagramsAreNot(int mtu)
    {
        for (int seed = 0; seed < 100; seed++)
        {
            var random = new Random(seed);
            var packet = Packet.Random(random, 60);
            var (reason, made) = _fixture.Translate(packet.Header, packet.Frame, TranslatorFixture.RandomPieces(random, packet.Frame.Length), 0, mtu);
            int room = mtu - (packet.HeaderBytes - packet.Network);
            bool fits = Math.Min(packet.Header.GsoSize, packet.Payload.Length) <= room;
            Assert.Equal(fits || packet.IsTcp ? null : DropReason.AboveMtu, reason);
            if (reason != null)
                continue;
            Assert.All(made, m => Assert.InRange(m.Bytes.Length - packet.Network, 1, mtu));
            Assert.Equal(packet.Payload, made.SelectMany(m => m.Bytes[packet.HeaderBytes..]));
        }
    }

    [Fact]
    public void AnMtuWithoutRoomForPayloadIsTooSmall()
    {
        var packet = new PacketShape().Build(new Random(1), 3000);
        Assert.Equal(DropReason.AboveMtu, _fixture.Translate(packet.Header, packet.Frame, [int.MaxValue], 0, 40).Reason);
        Assert.Equal(3000, _fixture.Translate(packet.Header, packet.Frame, [int.MaxValue], 0, 41).Frames.Count);
    }

    [Fact]
    public void HeadersWithoutPayloadAreOneSegment()
    {
        var packet = new PacketShape { TcpFlags = 0x89 }.Build(new Random(1), 0);
        var made = Assert.Single(Made(packet, new Random(1), 0));
        Assert.Equal(0x89, made.Bytes[packet.Header.ChecksumStart + 13]);
        AssertChecksum(packet, made, false);
    }

    [Theory]
    [InlineData(false, Features.NetGuestUso4, true)]
    [InlineData(false, Features.NetGuestUso6, false)]
    [InlineData(true, Features.NetGuestUso6, true)]
    [InlineData(true, Features.NetGuestUso4, false)]
    public void DatagramsOfTheVersionThatTheReceiverTakesGoThroughWhole(bool ipv6, ulong accepted, bool whole)
    {
        var packet = new PacketShape { Udp = true, Ipv6 = ipv6, SegmentBytes = 1000 }.Build(new Random(1), 5000);
        var (_, made) = _fixture.Translate(packet.Header, packet.Frame, [100, int.MaxValue], accepted | Features.NetGuestChecksum);
        Assert.Equal(whole ? 1 : 5, made.Count);
        if (whole)
            Assert.Equal((packet.Header, packet.Frame.Length), (made[0].Header, made[0].Bytes.Length));
        Assert.Equal(whole ? packet.Frame : packet.Frame[..12], made[0].Bytes[..(whole ? packet.Frame.Length : 12)]);
    }

    private List<Made> Made(Packet packet, Random random, ulong features)
    {
        var (reason, made) = _fixture.Translate(
            packet.Header, packet.Frame, TranslatorFixture.RandomPieces(random, packet.Frame.Length), features);
        Assert.Null(reason);
        return made;
    }

    private static void AssertIp(Packet packet, byte[] frame, int index)
    {
        // All that is not said below is as it was.
        byte[] expected = packet.Frame[..packet.Header.ChecksumStart];
        var ip = expected.AsSpan(packet.Network);
        if (expected[packet.Network] >> 4 == 4)
        {
            Assert.Equal(0xffff, Packet.Sum(frame.AsSpan(packet.Network, expected.Length - packet.Network)));
            BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)(frame.Length - packet.Network));
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(Word(packet.Frame, packet.Network + 4) + index));
            frame.AsSpan(packet.Network + 10, 2).CopyTo(ip[10..]);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(frame.Length - packet.Network - 40));
        }
        Assert.Equal(expected, frame[..expected.Length]);
    }

    private static void AssertTcp(Packet packet, byte[] frame, int index, bool last)
    {
        int at = packet.Header.ChecksumStart;
        byte[] expected = packet.Frame[at..packet.HeaderBytes];
        uint sequence = BinaryPrimitives.ReadUInt32BigEndian(expected.AsSpan(4)) + (uint)(index * packet.Header.GsoSize);
        BinaryPrimitives.WriteUInt32BigEndian(expected.AsSpan(4), sequence);
        expected[13] &= (byte)~((last ? 0 : 0x09) | (index == 0 ? 0 : 0x80));
        frame.AsSpan(at + 16, 2).CopyTo(expected.AsSpan(16));
        Assert.Equal(expected, frame[at..packet.HeaderBytes]);
    }

    private static void AssertChecksum(Packet packet, Made made, bool partial)
    {
        int start = packet.Header.ChecksumStart;
        int length = made.Bytes.Length - start;
        uint pseudo = Packet.Sum([(byte)(length >> 8), (byte)length], packet.Pseudo);
        if (partial)
        {
            Assert.Equal(pseudo, Word(made.Bytes, start + packet.Header.ChecksumOffset));
            Assert.Equal(new NetHeader { Flags = 1, ChecksumStart = packet.Header.ChecksumStart, ChecksumOffset = packet.Header.ChecksumOffset }, made.Header);
            return;
        }
        Assert.Equal(0xffff, Packet.Sum(made.Bytes.AsSpan(start), pseudo));
        Assert.Equal(default, made.Header);
        Assert.True(packet.IsTcp || Word(made.Bytes, start + 6) != 0);
    }

    private static ushort Word(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at));
}
