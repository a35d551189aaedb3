using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>A join whose receiver refused what its sender uses: segments come in order, none is lost, none comes twice.</summary>
public class JoinTests
{
    private const ulong Sends = Features.NetChecksum | Features.NetHostTso4 | Features.NetHostTso6;

    public static TheoryData<ulong, ulong, uint> Receivers => new()
    {
        { TestGuest.PlainFeatures, 0, 2048 },
        { TestGuest.PlainFeatures, Features.NetGuestChecksum, 2048 },
        { Wire.Legacy, 0, 2048 }, // a header of 10 bytes
        { Wire.Mergeable, 0, 2048 },
        { Wire.Mergeable, 0, 300 }, // segments over several buffers
        { TestGuest.PlainFeatures | Features.RingPacked, 0, 2048 },
        { Wire.Mergeable | Features.RingPacked, 0, 300 },
    };

    [Theory]
    [MemberData(nameof(Receivers))]
    public void SegmentsAndOtherFramesComeInOrder(ulong receiver, ulong takes, uint bufferBytes)
    {
        using var wire = Joined(new() { Features = receiver | takes, ReceiveBufferBytes = bufferBytes, QueueSize = 256 });
        for (int round = 0; round < 20; round++)
        {
            var packet = new PacketShape { Tags = round % 3, SegmentBytes = 1000 }.Build(new Random(round), 9500);
            wire.Sender.Transmit().Send(packet.Header, packet.Frame);
            wire.Sender.Send(Frames.Numbered(round, 60));
            Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
            Assert.Equal(packet.Payload, Receive(wire, packet, 10));
            Assert.Equal(round, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
            Assert.Equal((0u, 0u), (wire.Sender.Transmit().NextUsed(), wire.Sender.Transmit().NextUsed()));
        }
        Assert.Equal((40, 40, 220), (wire.Link.Frames, wire.SenderCounters.Traffic.Frames, wire.ReceiverCounters.Traffic.Frames));
        Assert.Equal((20, 200), (wire.Link.Translation.Frames, wire.Link.Translation.Segments));
        Assert.Equal(takes == 0, wire.Link.Translation.BytesSummed > 0);
        Assert.True(wire.Link.Translation.Time > TimeSpan.Zero);
        Assert.Empty(wire.Link.Drops);
    }

    [Theory]
    [InlineData(TestGuest.PlainFeatures, 2048u, 1)]
    [InlineData(TestGuest.PlainFeatures, 2048u, 3)]
    [InlineData(Wire.Mergeable, 300u, 5)]
    [InlineData(TestGuest.PlainFeatures | Features.RingPacked, 2048u, 2)]
    public void WithoutRoomForAllTheRestWaitsAndGoesOn(ulong receiver, uint bufferBytes, int buffers)
    {
        using var wire = Joined(new() { Features = receiver, ReceiveBuffers = buffers, ReceiveBufferBytes = bufferBytes });
        var packets = Enumerable.Range(0, 4).Select(i => new PacketShape { SegmentBytes = 1000 }.Build(new Random(i), 9500)).ToList();
        foreach (var packet in packets)
        {
            wire.Sender.Transmit().Send(packet.Header, packet.Frame);
            wire.Sender.Send(Frames.Numbered(77, 60)); // which must not overtake
        }
        foreach (var packet in packets)
        {
            List<byte> payload = [];
            for (int segment = 0; segment < 10; segment++)
                payload.AddRange(Next()[packet.HeaderBytes..]);
            Assert.Equal(packet.Payload, payload);
            Assert.Equal(77, Frames.NumberOf(Next()));
        }
        Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
        Assert.All(packets, _ => Assert.Equal((0u, 0u), (wire.Sender.Transmit().NextUsed(), wire.Sender.Transmit().NextUsed())));
        Assert.Equal((8, 4, 40), (wire.Link.Frames, wire.Link.Translation.Frames, wire.Link.Translation.Segments));
        Assert.Empty(wire.Link.Drops);

        byte[] Next()
        {
            while (!wire.Receiver.Receive().HasUsed)
                Assert.True(wire.Pass() is TransferResult.TargetEmpty or TransferResult.SourceEmpty);
            return wire.Receiver.ReceiveFrame();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void AJoinRemovedInTheMiddleLeavesNothingToComeAgain(int delivered)
    {
        using var wire = Joined(new() { ReceiveBuffers = delivered });
        var packet = new PacketShape { SegmentBytes = 1000 }.Build(new Random(1), 9500);
        wire.Sender.Transmit().Send(packet.Header, packet.Frame);
        wire.Sender.Send(Frames.Numbered(77, 60));
        Assert.Equal(TransferResult.TargetEmpty, wire.Pass());
        wire.Join.Dispose();
        Assert.Equal(delivered == 0 ? 0 : 1, wire.Dropped(DropReason.NoBuffers));
        using var next = new NetJoin(wire.Source, wire.Target, TimeSpan.FromSeconds(60), wire.Link);
        Assert.Equal(packet.Payload[..(delivered * 1000)], Receive(wire, packet, delivered));
        wire.Receiver.Receive().PostBuffers(32, 2048);
        Assert.Equal(TransferResult.SourceEmpty, next.Transfer(64));
        // Not begun: it comes whole. Begun: it does not come again.
        if (delivered == 0)
            Assert.Equal(packet.Payload, Receive(wire, packet, 10));
        Assert.Equal(77, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        Assert.False(wire.Receiver.Receive().HasUsed);
        Assert.Equal((0u, 0u), (wire.Sender.Transmit().NextUsed(), wire.Sender.Transmit().NextUsed()));
        Assert.Equal(2, wire.Link.Frames + wire.Link.Drops.Sum(d => d.Count));
    }

    [Fact]
    public void WhenTheHoldEndsInTheMiddleTheRestIsDroppedAndTheNextFrameIsWhole()
    {
        using var wire = Joined(new() { ReceiveBuffers = 2 }, TimeSpan.FromMilliseconds(50));
        using var fixture = new LoopFixture();
        var packet = new PacketShape { SegmentBytes = 1000 }.Build(new Random(1), 9500);
        fixture.Add(wire.Join);
        wire.Sender.Transmit().Send(packet.Header, packet.Frame);
        wire.Sender.Transmit().NextUsed();
        Assert.Equal(1, wire.Dropped(DropReason.NoBuffers));
        Assert.Equal(packet.Payload[..2000], Receive(wire, packet, 2)); // and there are buffers again
        wire.Receiver.Receive().PostBuffers(30, 2048);
        wire.Sender.Transmit().Send(packet.Header, packet.Frame);
        Assert.Equal(packet.Payload, Receive(wire, packet, 10));
        fixture.Remove(wire.Join);
    }

    [Fact]
    public void ATurnEndsInTheMiddleOfAPacketOfManySegments()
    {
        using var wire = Joined(new() { QueueSize = 1024 });
        var packet = new PacketShape { SegmentBytes = 10 }.Build(new Random(1), 10_000);
        wire.Sender.Transmit().Send(packet.Header, packet.Frame);
        int turns = 0;
        while (wire.Join.Turn(1024, out int spent) == TurnResult.More)
        {
            Assert.InRange(spent, 1024, 1200);
            turns++;
        }
        Assert.InRange(turns, 10, 30);
        Assert.Equal(packet.Payload, Receive(wire, packet, 1000));
    }

    [Fact]
    public void BuffersTooSmallForTheRestAreCounted()
    {
        using var wire = Joined(new() { ReceiveBuffers = 1 });
        wire.Receiver.Receive().PostBuffers(1, 500);
        var packet = new PacketShape { SegmentBytes = 1000 }.Build(new Random(1), 9500);
        wire.Sender.Transmit().Send(packet.Header, packet.Frame);
        wire.Pass();
        Assert.Equal(1, wire.Dropped(DropReason.TooLongForReceiver));
        Assert.Equal(0u, wire.Sender.Transmit().NextUsed());
    }

    [Theory]
    [InlineData(0, 1514, true)]
    [InlineData(0, 1515, false)]
    [InlineData(1, 1518, true)]
    [InlineData(1, 1519, false)]
    [InlineData(2, 1522, true)]
    [InlineData(2, 1523, false)]
    public void AFrameAboveTheReceiversMtuIsDropped(int tags, int bytes, bool fits)
    {
        using var sender = new TestGuest();
        using var receiver = new TestGuest();
        var counters = new QueueCounters();
        using var source = Wire.End(sender, sender.Transmit(), counters);
        using var target = Wire.End(receiver, receiver.Receive(), new QueueCounters(), mtu: 1500);
        using var join = new NetJoin(source, target, TimeSpan.Zero, new TrafficCounters());
        byte[] frame = Frames.Numbered(1, bytes);
        (frame[12], frame[13]) = (8, 0);
        for (int i = 0; i < tags; i++)
            (frame[12 + 4 * i], frame[13 + 4 * i], frame[16 + 4 * i], frame[17 + 4 * i]) = (0x81, 0, 8, 0);
        sender.Send(frame);
        join.Transfer(1);
        Assert.Equal(fits ? [] : [(DropReason.AboveMtu, 1L)], counters.Traffic.Drops);
        Assert.Equal(fits ? 1 : 0, counters.Traffic.Frames);
    }

    private static Wire Joined(TestGuestOptions receiver, TimeSpan? hold = null) =>
        new(new() { Features = TestGuest.PlainFeatures | Sends }, receiver, hold);

    /// <summary>The payload of the next segments.</summary>
    private static List<byte> Receive(Wire wire, Packet packet, int segments) =>
        [.. Enumerable.Range(0, segments).SelectMany(_ => wire.Receiver.ReceiveFrame()[packet.HeaderBytes..])];
}
