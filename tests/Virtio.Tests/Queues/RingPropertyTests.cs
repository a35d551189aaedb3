using FsCheck;
using FsCheck.Fluent;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>A ring between a proper driver and a device that writes as much as it likes (VIRTIO 1.2, 2.7).</summary>
public class RingPropertyTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithMaxTest(150);

    /// <summary>Readable and writable buffer lengths of a chain, and how much the device writes, of 100.</summary>
    private static readonly Gen<(int[] Readable, int[] Writable, int Percent)> Chains =
        from readable in Gen.ListOf(Gen.Choose(0, 200)).Select(l => l.Take(6).ToArray())
        from writable in Gen.NonEmptyListOf(Gen.Choose(0, 200)).Select(l => l.Take(6).ToArray())
        from percent in Gen.OneOf(Gen.Constant(0), Gen.Constant(100), Gen.Choose(0, 100))
        select (readable, writable, percent);

    /// <summary>2.7.8.2: what the driver hears is what was written; what it gave to read has not changed; order is kept.</summary>
    [Theory]
    [InlineData(0, 0ul)]
    [InlineData(16, Features.RingIndirectDescriptors)]
    [InlineData(16, Features.RingIndirectDescriptors | Features.RingEventIndex)]
    public void UsedLengthIsBytesWritten(int maxIndirect, ulong features) =>
        Prop.ForAll(Arb.From(Gen.NonEmptyListOf(Chains).Select(l => l.ToArray()), l => l.Length > 1 ? [l[1..], l[..^1]] : []), chains =>
        {
            using var queue = new TwoSidedQueue(64, features, maxIndirect, memoryBytes: 4 << 20);
            for (int at = 0; at < chains.Length;)
            {
                int batch = 0;
                var sent = new List<(byte[] Readable, DriverBuffer[] From, DriverBuffer[] To, uint Written)>();
                for (; batch < 4 && at < chains.Length; batch++, at++)
                    sent.Add(Offer(queue, chains[at], at));
                queue.Driver.Publish();
                for (int i = 0; i < batch; i++)
                    Answer(queue, sent[i].Readable, sent[i].Written);
                queue.Device.PublishUsed();
                for (int i = 0; i < batch; i++)
                    TakeBack(queue, at - batch + i, sent[i]);
            }
        }).Check(Runs);

    private static (byte[], DriverBuffer[], DriverBuffer[], uint) Offer(TwoSidedQueue queue, (int[] Readable, int[] Writable, int Percent) chain, int token)
    {
        var random = new Random(token);
        byte[] bytes = new byte[chain.Readable.Sum()];
        random.NextBytes(bytes);
        int at = 0;
        DriverBuffer[] from = [.. chain.Readable.Select(n => queue.Buffer(bytes.AsSpan((at += n) - n, n)))];
        DriverBuffer[] to = [.. chain.Writable.Select(n => queue.Room((uint)n))];
        Assert.True(queue.Driver.TryAdd(from, to, token));
        return (bytes, from, to, (uint)(chain.Writable.Sum() * chain.Percent / 100));
    }

    private static void Answer(TwoSidedQueue queue, byte[] expected, uint written)
    {
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(expected, queue.Readable());
        byte[] answer = [.. Enumerable.Repeat((byte)0xa5, (int)written)];
        Assert.Equal(answer.Length, queue.Chain.Writable.Write(answer));
        queue.Device.AddUsed(queue.Chain.Ticket, written);
    }

    private static void TakeBack(TwoSidedQueue queue, int token, (byte[] Readable, DriverBuffer[] From, DriverBuffer[] To, uint Written) sent)
    {
        Assert.True(queue.Driver.TryGetUsed(out int used, out uint written));
        Assert.Equal((token, sent.Written), (used, written));
        Assert.Equal(sent.Readable, Bytes(queue, sent.From));
        byte[] got = Bytes(queue, sent.To);
        Assert.True(got.AsSpan(0, (int)written).IndexOfAnyExcept((byte)0xa5) < 0);
        Assert.True(got.AsSpan((int)written).IndexOfAnyExcept((byte)0) < 0);
    }

    private static byte[] Bytes(TwoSidedQueue queue, DriverBuffer[] buffers) =>
        [.. buffers.SelectMany(b => queue.Memory.At(b.GuestAddress, (int)b.Length).ToArray())];
}
