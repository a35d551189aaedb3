using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Tests.Memory;

public unsafe class CopyBatchTests
{
    private const int Bytes = 1 << 20, Longest = 5000;

    /// <summary>All of the bytes put off arrive, and none beside them change: copies of any length, from and to anywhere, more than a batch holds.</summary>
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
                for (int at = 0; at < Bytes - 2 * Longest;)
                {
                    int count = random.Next(4) == 0 ? random.Next(1, Longest) : random.Next(1, 200);
                    int start = random.Next(Bytes - count);
                    batch.Add(from + start, to + at, (uint)count);
                    given.AsSpan(start, count).CopyTo(expected.AsSpan(at));
                    at += count + random.Next(3);
                }
                batch.Run();
                batch.Run(); // what is done is done
            }
            Assert.Equal(expected, target);
            Assert.Equal(given, source);
        }
    }
}
