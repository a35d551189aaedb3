using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>Frames that fit: what arrives, and what both sides are told (VIRTIO 1.2, 5.1.6).</summary>
public class FrameTests
{
    private const uint LargestBuffer = 65557 + NetHeader.Bytes;

    private static readonly NetHeader Checksummed = new() { Flags = NetHeader.NeedsChecksum, ChecksumStart = 2, ChecksumOffset = 4 };

    [Theory]
    [InlineData(TestGuest.PlainFeatures, TestGuest.PlainFeatures)]
    [InlineData(TestGuest.PlainFeatures, Wire.Legacy)]
    [InlineData(Wire.Legacy, TestGuest.PlainFeatures)]
    [InlineData(Wire.Legacy, Wire.Legacy)]
    [InlineData(Wire.Legacy, Wire.Mergeable)]
    [InlineData(Wire.Mergeable, Wire.Legacy)]
    public void EverySizeArrivesByteForByte(ulong sender, ulong receiver)
    {
        using var wire = new Wire(
            new() { Features = sender }, new() { Features = receiver, ReceiveBuffers = 4, ReceiveBufferBytes = LargestBuffer });
        foreach (int size in Frames.Sizes)
        {
            byte[] frame = Frames.Numbered(size, size);
            wire.Sender.Send(frame);
            Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
            Assert.Equal(0u, wire.Sender.Transmit().NextUsed());
            var received = wire.Receiver.Receive().NextFrame();
            Assert.Equal(frame, received.Frame);
            // 2.7.8.2: exactly what was written.
            Assert.Equal((uint)(wire.Receiver.HeaderBytes + size), received.Written);
            Assert.Equal(wire.Receiver.HeaderBytes == NetHeader.Bytes ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0] : new byte[10], received.Header);
        }
        wire.AssertAccounted(Frames.Sizes.Count, Frames.Sizes.Count);
        Assert.Equal(Frames.Sizes.Sum(), wire.Link.Bytes);
    }

    /// <summary>Frames that take 16 buffers each, of which as many go at once as make half a turn: what they cost tells which way they went.</summary>
    [Fact]
    public void FramesInPiecesAllGoTheShortWay()
    {
        const int frames = 12, atOnce = 8, bytes = 1500, descriptors = 17;
        using var wire = new Wire(new() { QueueSize = 256 }, new() { QueueSize = 256, Features = Wire.Mergeable, ReceiveBufferBytes = 100 });
        for (int i = 0; i < frames; i++)
            wire.Sender.Send(Frames.Numbered(i, bytes));
        using var join = new NetJoin(wire.Source, wire.Target, TimeSpan.Zero, wire.Link);

        Assert.Equal(TurnResult.Idle, join.Turn(int.MaxValue, out int spent));

        wire.AssertAccounted(frames, frames);
        Assert.Equal(Cost(atOnce) + Cost(frames - atOnce), spent);
        int Cost(int count) => WorkCost.Of(new(count, count * bytes, count * descriptors));
    }

    [Theory]
    [InlineData(TestGuest.PlainFeatures, Wire.Legacy)]
    [InlineData(Wire.Legacy, TestGuest.PlainFeatures)]
    [InlineData(Wire.Legacy, Wire.Legacy)]
    public void AHeaderIsTranslatedFieldByField(ulong sender, ulong receiver)
    {
        const ulong offloads = Features.NetChecksum | Features.NetHostTso4 | Features.NetGuestChecksum | Features.NetGuestTso4;
        using var wire = new Wire(new() { Features = sender | offloads }, new() { Features = receiver | offloads });
        var header = Checksummed with { GsoType = NetHeader.GsoTcp4, GsoSize = 0x1234, HeaderLength = 54, ChecksumStart = 34, ChecksumOffset = 16 };
        wire.Sender.Transmit().Send(header, Frames.Numbered(1, 100));
        wire.Pass();
        byte[] expected = [1, 1, 54, 0, 0x34, 0x12, 34, 0, 16, 0, 1, 0];
        Assert.Equal(expected[..wire.Receiver.HeaderBytes], wire.Receiver.Receive().NextFrame().Header);
    }

    [Fact]
    public void BitsThatADriverMustNotSetAreCleared()
    {
        const ulong checksum = Features.NetChecksum | Features.NetGuestChecksum;
        using var wire = new Wire(new() { Features = TestGuest.PlainFeatures | checksum }, new() { Features = TestGuest.PlainFeatures | checksum });
        // DATA_VALID and RSC_INFO are the device's alone (5.1.6.2.1); without NEEDS_CSUM the offsets mean nothing.
        wire.Sender.Transmit().Send(
            new NetHeader { Flags = 0xfe, ChecksumStart = 9, ChecksumOffset = 9, HeaderLength = 7, GsoSize = 3 }, Frames.Numbered(1, 60));
        wire.Pass();
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], wire.Receiver.Receive().NextFrame().Header);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(11)]
    public void DescriptorsMayCutAnywhere(int length)
    {
        using var wire = new Wire(new() { QueueSize = 512 }, new() { Features = Wire.Legacy });
        byte[] frame = Frames.Numbered(1, 200);
        wire.Sender.Transmit().SendIn(default, frame, [length, 0]);
        wire.Pass();
        Assert.Equal(frame, wire.Receiver.ReceiveFrame());
        wire.AssertAccounted(1, 1);
    }

    [Fact]
    public void FramesArriveInOrderOnceEach()
    {
        using var wire = new Wire(new() { QueueSize = 32 }, new() { QueueSize = 16 });
        int sent = 0, received = 0;
        while (received < 1000)
        {
            while (sent < 1000 && wire.Sender.Transmit().Driver.Free > 0)
                wire.Sender.Send(Frames.Numbered(sent++, 64));
            wire.Pass(7);
            while (wire.Sender.Transmit().Driver.InFlight > 0 && wire.SentRing.UsedIndex != UsedSeen(wire))
                wire.Sender.Transmit().NextUsed();
            while (wire.ReceivedRing.UsedIndex != (ushort)received)
                Assert.Equal(Frames.Numbered(received++, 64), wire.Receiver.ReceiveFrame());
        }
        wire.AssertAccounted(1000, 1000);

        ushort UsedSeen(Wire w) => (ushort)(sent - w.Sender.Transmit().Driver.InFlight);
    }

    [Fact]
    public void ABudgetIsKept()
    {
        using var wire = new Wire();
        for (int i = 0; i < 10; i++)
            wire.Sender.Send(Frames.Numbered(i, 60));
        Assert.Equal(TransferResult.More, wire.Pass(4));
        Assert.Equal(4, wire.Link.Frames);
        Assert.Equal(TransferResult.SourceEmpty, wire.Pass(100));
        wire.AssertAccounted(10, 10);
    }

    [Fact]
    public void AFrameIsInTheReceiversRingBeforeItsSenderIsToldSo()
    {
        using var wire = new Wire(receiver: new() { ReceiveBuffers = 1 });
        wire.Sender.Send(Frames.Numbered(0, 60));
        wire.Sender.Send(Frames.Numbered(1, 60));
        Assert.Equal(TransferResult.TargetEmpty, wire.Pass());
        Assert.Equal(1, wire.SentRing.UsedIndex);
        Assert.Equal(1, wire.ReceivedRing.UsedIndex);
        // What waits was not lost, nor seen twice.
        Assert.Equal(0, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        wire.Pass();
        Assert.Equal(1, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        wire.AssertAccounted(2, 2);
    }
}
