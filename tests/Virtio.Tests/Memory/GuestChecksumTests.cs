using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

/// <summary>RFC 1071: the sum of 16-bit words, carries taken in.</summary>
public class GuestChecksumTests
{
    [Fact]
    public void TheExampleOfTheRfc()
    {
        // RFC 1071, 3.
        byte[] bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        Assert.Equal(0xddf2, GuestChecksum.Add(0, bytes));
    }

    [Fact]
    public void OverAnySegmentsFromAnyPlaceAsByTheDefinition()
    {
        for (int seed = 0; seed < 5000; seed++)
        {
            var random = new Random(seed);
            using var arena = new SegmentArena(SegmentArena.RandomLengths(random, 24), seed);
            byte[] flat = arena.Flat();
            int from = random.Next(flat.Length + 1);
            ulong count = random.Next(4) == 0 ? ulong.MaxValue : (ulong)random.Next(flat.Length + 10);
            int added = (int)Math.Min(count, (ulong)(flat.Length - from));
            ushort before = (ushort)random.Next(0x10000);
            var cursor = arena.Cursor();
            cursor.Advance((ulong)from);
            Assert.Equal(Defined(before, flat.AsSpan(from, added)), GuestChecksum.Add(before, ref cursor, count));
            Assert.Equal((ulong)(flat.Length - from - added), cursor.Remaining);
            Assert.Equal(flat, arena.Flat());
        }
    }

    [Fact]
    public void OverOurOwnBytesOfEveryLengthAndValue()
    {
        byte[] ones = new byte[70_000];
        Array.Fill(ones, (byte)0xff);
        byte[] some = new byte[70_000];
        new Random(1).NextBytes(some);
        for (int length = 0; length < some.Length; length += length < 600 ? 1 : 997)
        {
            Assert.Equal(Defined(0, some.AsSpan(length & 7, length & ~7)), GuestChecksum.Add(0, some.AsSpan(length & 7, length & ~7)));
            Assert.Equal(Defined(0, some.AsSpan(0, length)), GuestChecksum.Add(0, some.AsSpan(0, length)));
            Assert.Equal(Defined(0xffff, ones.AsSpan(0, length)), GuestChecksum.Add(0xffff, ones.AsSpan(0, length)));
        }
        Assert.Equal(0, GuestChecksum.Add(0, new byte[1000]));
    }

    private static ushort Defined(ushort before, ReadOnlySpan<byte> bytes)
    {
        uint sum = before;
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += i % 2 == 0 ? (uint)bytes[i] << 8 : bytes[i];
            if (sum > 0xffff)
                sum -= 0xffff;
        }
        return (ushort)sum;
    }
}
