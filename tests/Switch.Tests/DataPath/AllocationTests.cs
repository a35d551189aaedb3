using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>The hot path makes no garbage (DESIGN section 8).</summary>
public class AllocationTests
{
    [Theory]
    [InlineData(TestGuest.PlainFeatures, 2048u, 60)]
    [InlineData(Wire.Mergeable, 100u, 1500)]
    [InlineData(TestGuest.PlainFeatures, 64u, 1500)] // dropped: too long
    public void TenThousandTransfersAllocateNothing(ulong features, uint bufferBytes, int frameBytes)
    {
        using var wire = new Wire(receiver: new() { Features = features, ReceiveBufferBytes = bufferBytes });
        var sender = wire.Sender.Transmit().Driver;
        var receiver = wire.Receiver.Receive().Driver;
        var frame = new DriverBuffer(wire.Sender.Memory.Allocate(4096), (uint)(12 + frameBytes));
        var buffer = new DriverBuffer(wire.Receiver.Memory.Allocate(bufferBytes), bufferBytes);
        const int transfers = 10_000;
        Run(100);
        long allocated = Run(transfers);
        Assert.Equal(0, allocated);
        Assert.Equal(transfers + 100, wire.Link.Frames + wire.Link.Drops.Sum(d => d.Count));

        long Run(int count)
        {
            long total = 0;
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
