using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

public class GuestCopyTests
{
    /// <summary>Exactly the bytes that should change change: in thousands of segmentations, from any place, of any count.</summary>
    [Fact]
    public void Promise_1_CopiesExactlyTheBytesItShould()
    {
        for (int seed = 0; seed < 5000; seed++)
        {
            var random = new Random(seed);
            using var source = new SegmentArena(SegmentArena.RandomLengths(random, 24), seed);
            using var target = new SegmentArena(SegmentArena.RandomLengths(random, 24), ~seed);
            byte[] given = source.Flat(), expected = target.Flat();
            int from = random.Next(given.Length + 1), to = random.Next(expected.Length + 1);
            ulong count = random.Next(4) == 0 ? ulong.MaxValue : (ulong)random.Next(given.Length + 10);
            int moved = (int)Math.Min(count, (ulong)Math.Min(given.Length - from, expected.Length - to));
            given.AsSpan(from, moved).CopyTo(expected.AsSpan(to));

            SegmentCursor reader = source.Cursor(), writer = target.Cursor();
            reader.Advance((ulong)from);
            writer.Advance((ulong)to);
            Assert.Equal((ulong)moved, GuestCopy.Copy(ref reader, ref writer, count));

            Assert.Equal(expected, target.Flat());
            Assert.Equal(given, source.Flat());
            source.AssertCanaries();
            target.AssertCanaries();
            Assert.Equal((ulong)(given.Length - from - moved), reader.Remaining);
            Assert.Equal((ulong)(expected.Length - to - moved), writer.Remaining);
        }
    }

    [Fact]
    public void CopiesInInstalmentsAsAtOnce()
    {
        for (int seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            using var source = new SegmentArena(SegmentArena.RandomLengths(random, 24), seed);
            using var target = new SegmentArena([.. SegmentArena.RandomLengths(random, 24), source.Total + 1], ~seed);
            SegmentCursor reader = source.Cursor(), writer = target.Cursor();
            while (reader.Remaining > 0)
                GuestCopy.Copy(ref reader, ref writer, (ulong)random.Next(1, 50));
            Assert.Equal(source.Flat(), target.Flat()[..source.Total]);
            target.AssertCanaries();
        }
    }
}
