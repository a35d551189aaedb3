using InterGuest.Switch.DataPath;
using InterGuest.Switch.Tests.DataPath.Offload;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>The hot path makes no garbage (DESIGN section 8).</summary>
public class AllocationTests
{
    [Theory]
    [InlineData(TestGuest.PlainFeatures, 2048u, 60)]
    [InlineData(Wire.Mergeable, 100u, 1500)]
    [InlineData(TestGuest.PlainFeatures, 64u, 1500)] // dropped: too long
    public void TransfersAllocateNothing(ulong features, uint bufferBytes, int frameBytes)
    {
        using var wire = new Wire(receiver: new() { Features = features, ReceiveBufferBytes = bufferBytes });
        AssertNoneAllocated(wire, bufferBytes, new byte[12 + frameBytes]);
    }

    [Theory]
    [InlineData(TestGuest.PlainFeatures)]
    [InlineData(TestGuest.PlainFeatures | Features.NetGuestChecksum)]
    public void NorDoTranslations(ulong features)
    {
        using var wire = new Wire(
            new() { Features = TestGuest.PlainFeatures | Features.NetChecksum | Features.NetHostTso4 }, new() { Features = features });
        var packet = new PacketShape().Build(new Random(1), 60_000);
        byte[] header = new byte[NetHeader.Bytes];
        packet.Header.Write(header, 0);
        AssertNoneAllocated(wire, 2048, [.. header, .. packet.Frame]);
        Assert.Equal(42 * wire.Link.Translation.Frames, wire.Link.Translation.Segments);
    }

    private static void AssertNoneAllocated(Wire wire, uint bufferBytes, byte[] bytes)
    {
        var sender = wire.Sender.Transmit().Driver;
        var receiver = wire.Receiver.Receive().Driver;
        var frame = new DriverBuffer(wire.Sender.Memory.Allocate((uint)bytes.Length), (uint)bytes.Length);
        bytes.CopyTo(wire.Sender.Memory.At(frame.GuestAddress, bytes.Length));
        var buffer = new DriverBuffer(wire.Receiver.Memory.Allocate(bufferBytes), bufferBytes);
        long sent = 0;
        Run(100);
        // Collections, for other threads' sake, end this thread's allocation contexts, which then count as used: a busy
        // machine has one in almost every run.
        List<long> allocated = [];
        while (allocated.Count < 100 && !allocated.Contains(0))
            allocated.Add(Run(2000));
        Assert.Contains(0, allocated);
        Assert.Equal(sent, wire.Link.Frames + wire.Link.Drops.Sum(d => d.Count));

        long Run(int count)
        {
            long total = 0;
            sent += count;
            for (int i = 0; i < count; i++)
            {
                Assert.True(sender.TryAdd([frame], [], 0));
                sender.Publish();
                long before = GC.GetAllocatedBytesForCurrentThread();
                var result = wire.Pass();
                total += GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.Equal(TransferResult.SourceEmpty, result);
                Assert.True(sender.TryGetUsed(out _, out _));
                while (receiver.TryGetUsed(out _, out _))
                    Assert.True(receiver.TryAdd([], [buffer], 0));
                receiver.Publish();
            }
            return total;
        }
    }
}
