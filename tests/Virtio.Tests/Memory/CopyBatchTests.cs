using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Tests.Memory;

public unsafe class CopyBatchTests
{
    private const int Bytes = 1 << 20, Longest = 5000, MostPlaces = 48;

    /// <summary>All of the bytes put off arrive, and none beside them change: places of any length, anywhere, more copies than a batch holds.</summary>
    [Fact]
    public void CopiesExactlyTheBytesItShould()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            byte[] source = new byte[Bytes], target = new byte[Bytes];
            random.NextBytes(source);
            random.NextBytes(target);
            byte[] given = [.. source], expected = [.. target];
            fixed (byte* from = source, to = target)
            {
                var batch = new CopyBatch(new CopyBatch.Entry[CopyBatch.Room]);
                for (int at = 0; at < Bytes - MostPlaces * (Longest + 2);)
                {
                    var pieces = new Segment[random.Next(1, MostPlaces + 1)];
                    byte[] bytes = Gather(random, given, from, pieces);
                    var rooms = Spread(random, bytes, expected, to, ref at);
                    batch.Add(pieces, rooms, (uint)bytes.Length);
                }
                batch.Run();
                batch.Run(); // what is done is done
            }
            Assert.Equal(expected, target);
            Assert.Equal(given, source);
        }
    }

    /// <summary>Places to copy from, of which the first may be empty. Returns the bytes there that are to be copied: the last place may have more.</summary>
    private static byte[] Gather(Random random, byte[] given, byte* from, Segment[] pieces)
    {
        var bytes = new List<byte>();
        for (int i = 0; i < pieces.Length; i++)
        {
            int count = i == 0 && pieces.Length > 1 && random.Next(3) == 0 ? 0 : Length(random), start = random.Next(Bytes - count);
            pieces[i].Set(from + start, (uint)count);
            bytes.AddRange(given.AsSpan(start, count));
        }
        int left = (int)Math.Min(bytes.Count - 1, random.Next(3) == 0 ? random.Next((int)pieces[^1].Length) : 0);
        return [.. bytes[..^left]];
    }

    /// <summary>Places to copy to, behind each other and sometimes apart; the last may hold more.</summary>
    private static Segment[] Spread(Random random, ReadOnlySpan<byte> bytes, byte[] expected, byte* to, ref int at)
    {
        var rooms = new List<Segment>();
        for (int most = MostPlaces - 1; bytes.Length > 0; most--)
        {
            int size = rooms.Count == 0 && random.Next(3) == 0 ? 0 : most == 0 ? bytes.Length : Length(random), count = Math.Min(size, bytes.Length);
            var room = default(Segment);
            room.Set(to + at, (uint)size);
            rooms.Add(room);
            bytes[..count].CopyTo(expected.AsSpan(at));
            bytes = bytes[count..];
            at += count + random.Next(3);
        }
        return [.. rooms];
    }

    private static int Length(Random random) => random.Next(4) == 0 ? random.Next(1, Longest) : random.Next(1, 200);
}
