using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

public class SegmentCursorTests
{
    [Fact]
    public void ReadsAndWritesAcrossSegmentsAndStopsAtTheEnd()
    {
        using var arena = new SegmentArena([3, 1, 4], seed: 1);
        byte[] flat = arena.Flat();
        var cursor = arena.Cursor();
        byte[] bytes = new byte[5];
        Assert.Equal(5, cursor.Read(bytes));
        Assert.Equal(flat[..5], bytes);
        Assert.Equal(3UL, cursor.Remaining);
        Assert.Equal(3, cursor.Read(bytes));
        Assert.Equal(flat[5..], bytes[..3]);
        Assert.Equal(0, cursor.Read(bytes));

        cursor = arena.Cursor();
        Assert.Equal(8, cursor.Write([9, 8, 7, 6, 5, 4, 3, 2, 1]));
        Assert.Equal([9, 8, 7, 6, 5, 4, 3, 2], arena.Flat());
        arena.AssertCanaries();
        Assert.Equal(0, cursor.Write([1]));
    }

    [Fact]
    public void AdvanceMovesAtMostToTheEnd()
    {
        using var arena = new SegmentArena([2, 2], seed: 2);
        var cursor = arena.Cursor();
        cursor.Advance(3);
        Assert.Equal(1UL, cursor.Remaining);
        byte[] one = new byte[1];
        cursor.Read(one);
        Assert.Equal(arena.Flat()[3], one[0]);
        cursor.Advance(ulong.MaxValue);
        Assert.Equal(0UL, cursor.Remaining);
    }

    [Fact]
    public void CopyOfACursorMovesApart()
    {
        using var arena = new SegmentArena([2, 2], seed: 3);
        var first = arena.Cursor();
        first.Advance(1);
        var second = first;
        second.Advance(2);
        Assert.Equal((3UL, 1UL), (first.Remaining, second.Remaining));
    }

    [Fact]
    public void EmptyPartHasNothing()
    {
        using var arena = new SegmentArena([], seed: 4);
        var cursor = arena.Cursor();
        cursor.Advance(1);
        Assert.Equal((0UL, 0, 0), (cursor.Remaining, cursor.Read(new byte[1]), cursor.Write([1])));
    }

    /// <summary>Against a flat model: random reads, writes and moves over random segmentations.</summary>
    [Fact]
    public void BehavesAsOneFlatBuffer()
    {
        for (int seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            using var arena = new SegmentArena(SegmentArena.RandomLengths(random, 20), seed);
            byte[] model = arena.Flat();
            var cursor = arena.Cursor();
            for (int at = 0; at < model.Length;)
            {
                byte[] bytes = new byte[random.Next(1, 40)];
                random.NextBytes(bytes);
                int count = Math.Min(bytes.Length, model.Length - at);
                switch (random.Next(3))
                {
                    case 0:
                        Assert.Equal(count, cursor.Read(bytes));
                        Assert.Equal(model.AsSpan(at, count), bytes.AsSpan(0, count));
                        break;
                    case 1:
                        Assert.Equal(count, cursor.Write(bytes));
                        bytes.AsSpan(0, count).CopyTo(model.AsSpan(at));
                        break;
                    default:
                        cursor.Advance((ulong)bytes.Length);
                        break;
                }
                at += count;
                Assert.Equal((ulong)(model.Length - at), cursor.Remaining);
            }
            Assert.Equal(model, arena.Flat());
            arena.AssertCanaries();
        }
    }
}
