using InterGuest.Virtio.Devices;

namespace InterGuest.Virtio.Tests.Devices;

public class NetHeaderTests
{
    private const ulong Frame = 100;

    private static NetHeader Tso(byte type = NetHeader.GsoTcp4) => new()
    {
        Flags = NetHeader.NeedsChecksum, GsoType = type, GsoSize = 1400, HeaderLength = 54, ChecksumStart = 34, ChecksumOffset = 16,
    };

    [Fact]
    public void Spec_5_1_6_LayoutIsLittleEndian()
    {
        byte[] bytes = [1, 2, 0x04, 0x03, 0x06, 0x05, 0x08, 0x07, 0x0a, 0x09, 0x0c, 0x0b];
        var header = NetHeader.Parse(bytes);
        Assert.Equal((1, 2, 0x0304, 0x0506), (header.Flags, header.GsoType, header.HeaderLength, header.GsoSize));
        Assert.Equal((0x0708, 0x090a), (header.ChecksumStart, header.ChecksumOffset));
        byte[] written = new byte[14];
        written.AsSpan().Fill(0xee);
        header.Write(written, 0x0b0c);
        Assert.Equal([.. bytes, 0xee, 0xee], written);
    }

    /// <summary>Where a header lies already that differs in one bit, as where the very same one does.</summary>
    [Theory]
    [InlineData(NetHeader.Bytes)]
    [InlineData(NetHeader.LegacyBytes)]
    public unsafe void WhateverWasThereIsReplaced(int headerBytes)
    {
        byte[] expected = new byte[NetHeader.Bytes];
        Tso().Write(expected, 2);
        byte* room = stackalloc byte[16];
        var bytes = new Span<byte>(room, 16);
        for (int bit = -1; bit < 8 * headerBytes; bit++)
        {
            bytes.Fill(0xee);
            expected.AsSpan(0, headerBytes).CopyTo(bytes);
            if (bit >= 0)
                bytes[bit / 8] ^= (byte)(1 << bit % 8);
            NetHeader.Write(room, headerBytes, Tso().Low, Tso().ChecksumOffset, 2);
            Assert.Equal(expected[..headerBytes], bytes[..headerBytes].ToArray());
            Assert.Equal(Enumerable.Repeat((byte)0xee, 16 - headerBytes), bytes[headerBytes..].ToArray());
        }
    }

    [Fact]
    public void ALegacyHeaderOf10BytesIsEnoughToParse() =>
        Assert.Equal(0x0201, NetHeader.Parse([0, 0, 0, 0, 0, 0, 0, 0, 1, 2]).ChecksumOffset);

    [Theory]
    [InlineData(0UL, 10)]
    [InlineData(Features.Version1, 12)]
    [InlineData(Features.NetMergeableBuffers, 12)]
    [InlineData(Features.Version1 | Features.NetMergeableBuffers, 12)]
    [InlineData(~(Features.Version1 | Features.NetMergeableBuffers), 10)]
    public void Spec_5_1_6_1_SizeByFeatures(ulong features, int size) => Assert.Equal(size, NetHeader.SizeFor(features));

    /// <summary>A driver may set NEEDS_CSUM and nothing else: DATA_VALID from it would make the other kernel believe bad checksums.</summary>
    [Theory]
    [InlineData(0xff, 1)]
    [InlineData(0xfe, 0)]
    [InlineData(0x02, 0)]
    [InlineData(0x01, 1)]
    public void Spec_5_1_6_2_1_OtherFlagsAreCleared(byte given, byte left)
    {
        var header = new NetHeader { Flags = given };
        Assert.True(header.TrySanitize(Frame));
        Assert.Equal(left, header.Flags);
    }

    [Fact]
    public void Spec_5_1_6_2_1_FieldsThatMeanNothingAreCleared()
    {
        var header = new NetHeader { ChecksumStart = 0xffff, ChecksumOffset = 0xffff, GsoSize = 7, HeaderLength = 0xffff };
        Assert.True(header.TrySanitize(0));
        Assert.Equal(default, header);
    }

    [Theory]
    [InlineData(34, 64, 100, true)]
    [InlineData(34, 65, 100, false)]
    [InlineData(99, 0, 100, false)]
    [InlineData(98, 0, 100, true)]
    [InlineData(0, 0, 1, false)]
    [InlineData(0, 0, 0, false)]
    [InlineData(0xffff, 0xffff, 0xffff, false)]
    [InlineData(0xffff, 0xffff, 0x1ffff, false)]
    [InlineData(0xffff, 0xffff, 0x20000, true)]
    public void ChecksumMustLieInsideTheFrame(int start, int offset, int frame, bool fine)
    {
        var header = new NetHeader { Flags = NetHeader.NeedsChecksum, ChecksumStart = (ushort)start, ChecksumOffset = (ushort)offset };
        Assert.Equal(fine, header.TrySanitize((ulong)frame));
        if (fine)
            Assert.Equal((start, offset), (header.ChecksumStart, header.ChecksumOffset));
    }

    [Theory]
    [InlineData(NetHeader.GsoTcp4, true)]
    [InlineData(NetHeader.GsoTcp6, true)]
    [InlineData(NetHeader.GsoUdp, true)]
    [InlineData(NetHeader.GsoUdpL4, true)]
    [InlineData(NetHeader.GsoTcp4 | NetHeader.GsoEcn, true)]
    [InlineData(NetHeader.GsoTcp6 | NetHeader.GsoEcn, true)]
    [InlineData(NetHeader.GsoEcn, false)] // ECN of nothing
    [InlineData(2, false)]
    [InlineData(6, false)]
    [InlineData(0x41, false)]
    [InlineData(0xff, false)]
    public void Spec_5_1_6_KnownKindsOfSegmentation(byte type, bool fine) => Assert.Equal(fine, Tso(type).TrySanitize(Frame));

    [Fact]
    public void SegmentationIsKeptAsItWas()
    {
        var header = Tso(NetHeader.GsoTcp6 | NetHeader.GsoEcn);
        var before = header;
        Assert.True(header.TrySanitize(Frame));
        Assert.Equal(before, header);
    }

    /// <summary>A kernel divides by it.</summary>
    [Fact]
    public void SegmentsOfNoBytesAreRefused() => Assert.False((Tso() with { GsoSize = 0 }).TrySanitize(Frame));

    [Fact]
    public void HeadersLongerThanTheFrameAreRefused()
    {
        Assert.True((Tso() with { HeaderLength = 100 }).TrySanitize(Frame));
        Assert.False((Tso() with { HeaderLength = 101 }).TrySanitize(Frame));
    }

    [Fact]
    public void Spec_5_1_6_2_1_SegmentationNeedsChecksum()
    {
        Assert.False((Tso() with { Flags = 0 }).TrySanitize(Frame));
        Assert.False((Tso() with { Flags = 2 }).TrySanitize(Frame));
    }

    [Theory]
    [InlineData(0, NetHeader.GsoNone, 0UL)]
    [InlineData(1, NetHeader.GsoNone, Features.NetGuestChecksum)]
    [InlineData(1, NetHeader.GsoTcp4, Features.NetGuestChecksum | Features.NetGuestTso4)]
    [InlineData(1, NetHeader.GsoTcp6, Features.NetGuestChecksum | Features.NetGuestTso6)]
    [InlineData(1, NetHeader.GsoTcp4 | NetHeader.GsoEcn, Features.NetGuestChecksum | Features.NetGuestTso4 | Features.NetGuestEcn)]
    [InlineData(1, NetHeader.GsoUdp, Features.NetGuestChecksum | Features.NetGuestUfo)]
    [InlineData(1, NetHeader.GsoUdpL4, Features.NetGuestChecksum | 3UL << 54)]
    public void Spec_5_1_6_4_WhatTheReceiverMustHaveAccepted(byte flags, byte type, ulong needed) =>
        Assert.Equal(needed, new NetHeader { Flags = flags, GsoType = type }.NeededToReceive());

    /// <summary>Whatever a driver sends, a header that passes is one that every rule holds for; and passing it again changes nothing.</summary>
    [Fact]
    public void RandomHeadersThatPassObeyAllRules()
    {
        var random = new Random(1);
        int passed = 0;
        byte[] bytes = new byte[NetHeader.Bytes];
        for (int i = 0; i < 200_000; i++)
        {
            random.NextBytes(bytes);
            bytes[1] &= (byte)(random.Next(2) == 0 ? 0x87 : 0xff);
            bytes[7] &= 1;
            bytes[9] &= 1;
            ulong frame = (ulong)random.Next(0x20000);
            var header = NetHeader.Parse(bytes);
            if (!header.TrySanitize(frame))
                continue;
            passed++;
            Assert.True(header.Flags is 0 or 1);
            Assert.True(header.Flags == 0 || (ulong)(header.ChecksumStart + header.ChecksumOffset + 2) <= frame);
            Assert.True(header.GsoType == 0 ? header.GsoSize == 0 : header.GsoSize > 0 && header.Flags == 1);
            Assert.True(header.HeaderLength <= frame);
            var again = header;
            Assert.True(again.TrySanitize(frame));
            Assert.Equal(header, again);
        }
        Assert.InRange(passed, 10_000, 190_000);
    }
}
