using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>Frames that are not delivered: each is given back with length 0, and counted once, by its reason.</summary>
public class DropTests
{
    private const ulong Sends = Features.NetChecksum | Features.NetHostTso4 | Features.NetHostTso6;
    private const ulong Takes = Features.NetGuestChecksum | Features.NetGuestTso4 | Features.NetGuestTso6;

    private static readonly NetHeader Checksum = new() { Flags = NetHeader.NeedsChecksum, ChecksumStart = 14, ChecksumOffset = 4 };

    private static readonly NetHeader Tso4 = Checksum with { GsoType = NetHeader.GsoTcp4, GsoSize = 1448, HeaderLength = 54 };

    [Theory]
    [InlineData(13, DropReason.TooShort)]
    [InlineData(0, DropReason.TooShort)]
    [InlineData(65558, DropReason.TooLong)]
    [InlineData(1 << 20, DropReason.TooLong)]
    public void LengthsThatNoFrameHas(int size, DropReason reason)
    {
        using var wire = new Wire(receiver: new() { Features = Wire.Mergeable, QueueSize = 1024 });
        AssertDropped(wire, default, Frames.Numbered(1, Math.Max(size, 4))[..size], reason);
    }

    [Theory]
    [InlineData(TestGuest.PlainFeatures, 11)]
    [InlineData(Wire.Legacy, 9)]
    public void AFrameWithoutItsHeader(ulong features, int bytes)
    {
        using var wire = new Wire(new() { Features = features });
        var driver = wire.Sender.Transmit().Driver;
        driver.TryAdd([new(wire.Sender.Memory.Allocate(16), (uint)bytes)], [], 0);
        driver.Publish();
        AssertDroppedNow(wire, DropReason.TooShort);
    }

    [Fact]
    public void AChainWithNothingToRead()
    {
        using var wire = new Wire();
        var driver = wire.Sender.Transmit().Driver;
        driver.TryAdd([], [new(wire.Sender.Memory.Allocate(100), 100)], 0);
        driver.Publish();
        AssertDroppedNow(wire, DropReason.TooShort);
    }

    public static TheoryData<string, NetHeader> BadHeaders => new()
    {
        { "the checksum lies behind the frame", Checksum with { ChecksumStart = 95 } },
        { "so it does by its offset", Checksum with { ChecksumOffset = 85 } },
        { "both at their largest", Checksum with { ChecksumStart = 0xffff, ChecksumOffset = 0xffff } },
        { "segments of nothing", Tso4 with { GsoSize = 0 } },
        { "headers longer than the frame", Tso4 with { HeaderLength = 101 } },
        { "segments without a checksum each", Tso4 with { Flags = 0 } },
        { "a gso_type that does not exist", Tso4 with { GsoType = 2 } },
        { "ECN alone", Tso4 with { GsoType = NetHeader.GsoEcn } },
    };

    [Theory]
    [MemberData(nameof(BadHeaders))]
    public void HeadersThatCannotBeRight(string what, NetHeader header)
    {
        Assert.NotEmpty(what);
        using var wire = Offloading(Sends, Takes);
        AssertDropped(wire, header, Frames.Numbered(1, 100), DropReason.BadHeader);
    }

    [Fact]
    public void TheLastChecksumThatFitsIsDelivered()
    {
        using var wire = Offloading(Sends, Takes);
        wire.Sender.Transmit().Send(Checksum with { ChecksumStart = 94 }, Frames.Numbered(1, 100));
        wire.Pass();
        wire.AssertAccounted(1, 1);
    }

    public static TheoryData<string, ulong, ulong, NetHeader, DropReason?> Offloads => new()
    {
        { "all agreed", Sends, Takes, Tso4, null },
        { "the receiver refused checksums", Sends, 0, Checksum, null },
        { "the receiver refused TSO, of what is no TCP", Sends, Features.NetGuestChecksum, Tso4, DropReason.BadOffload },
        { "the receiver refused checksums only", Sends, Takes & ~Features.NetGuestChecksum, Tso4, DropReason.BadOffload },
        { "the sender never got checksums", 0, Takes, Checksum, DropReason.BadHeader },
        { "the sender never got TSO", Features.NetChecksum, Takes, Tso4, DropReason.BadHeader },
        { "neither side got it", 0, 0, Checksum, DropReason.BadHeader },
        { "TSO6 with TSO4 agreed", Sends & ~Features.NetHostTso6, Takes, Tso4 with { GsoType = NetHeader.GsoTcp6 }, DropReason.BadHeader },
        { "ECN, which nobody got", Sends, Takes, Tso4 with { GsoType = NetHeader.GsoTcp4 | NetHeader.GsoEcn }, DropReason.BadHeader },
        { "UFO, which nobody got", Sends, Takes, Tso4 with { GsoType = NetHeader.GsoUdp }, DropReason.BadHeader },
        { "USO, which nobody got", Sends, Takes, Tso4 with { GsoType = NetHeader.GsoUdpL4 }, DropReason.BadHeader },
    };

    [Theory]
    [MemberData(nameof(Offloads))]
    public void AnOffloadMustBeNegotiatedAtBothEnds(string what, ulong sends, ulong takes, NetHeader header, DropReason? reason)
    {
        Assert.NotEmpty(what);
        using var wire = Offloading(sends, takes);
        if (reason is { } drop)
        {
            AssertDropped(wire, header, Frames.Numbered(1, 100), drop);
            return;
        }
        wire.Sender.Transmit().Send(header, Frames.Numbered(1, 100));
        wire.Pass();
        wire.AssertAccounted(1, 1);
    }

    [Theory]
    [InlineData(DropReason.NoLink)]
    [InlineData(DropReason.LinkDown)]
    [InlineData(DropReason.PeerNotRunning)]
    [InlineData(DropReason.QueueDisabled)]
    public void WithoutAReceiverAllIsTakenAndCounted(DropReason reason)
    {
        using var guest = new TestGuest();
        var counters = new QueueCounters();
        using var source = Wire.End(guest, guest.Transmit(), counters);
        using var join = new NetJoin(source, reason, null);
        for (int i = 0; i < 10; i++)
            guest.Send(Frames.Numbered(i, 60));
        Assert.Equal(TransferResult.SourceEmpty, join.Transfer(64));
        for (int i = 0; i < 10; i++)
            Assert.Equal(0u, guest.Transmit().NextUsed());
        Assert.Equal([(reason, 10L)], counters.Traffic.Drops);
        Assert.Equal(0, counters.Traffic.Frames);
    }

    [Fact]
    public void WithoutAHoldAFrameThatFindsNoBuffersIsDroppedAtOnce()
    {
        using var wire = new Wire(receiver: new() { ReceiveBuffers = 0 }, hold: TimeSpan.Zero);
        AssertDropped(wire, default, Frames.Numbered(1, 60), DropReason.NoBuffers);
    }

    [Theory]
    [InlineData(true, QueueFault.IndirectNotNegotiated)]
    [InlineData(false, QueueFault.AddressNotMapped)]
    public void ABadChainIsGivenBackAndTheNextFrameIsDelivered(bool indirect, QueueFault fault)
    {
        using var wire = new Wire(new() { MaxIndirect = indirect ? 2 : 0 });
        var driver = wire.Sender.Transmit().Driver;
        ulong memory = wire.Sender.Memory.Allocate(100);
        driver.TryAdd(indirect ? [new(memory, 50), new(memory + 50, 50)] : [new(memory, 50), new(0x10, 50)], [], 7);
        wire.Sender.Send(Frames.Numbered(1, 60));
        Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
        Assert.Equal(Frames.Numbered(1, 60), wire.Receiver.ReceiveFrame());
        Assert.Equal([(fault, 1L)], wire.SenderCounters.Faults);
        Assert.Equal(1, wire.Dropped(DropReason.BadChain));
        wire.AssertAccounted(2, 1);
        Assert.Equal((0u, 0u), (wire.Sender.Transmit().NextUsed(), wire.Sender.Transmit().NextUsed()));
    }

    [Fact]
    public void ALoopOfDescriptorsIsABadChain()
    {
        using var wire = new Wire();
        wire.SentRing.SetDescriptor(0, wire.Sender.Memory.Layout.GuestAddress, 100, flags: 1, next: 0);
        wire.SentRing.SetAvailable(0, 0);
        wire.SentRing.AvailableIndex = 1;
        Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
        Assert.Equal([(QueueFault.ChainTooLong, 1L)], wire.SenderCounters.Faults);
        wire.AssertAccounted(1, 0);
        Assert.Equal(1, wire.SentRing.UsedIndex);
    }

    [Fact]
    public void ABrokenSendingRingStopsAfterWhatCameBefore()
    {
        using var wire = new Wire();
        wire.Sender.Send(Frames.Numbered(1, 60));
        wire.SentRing.SetAvailable(1, 64);
        wire.SentRing.AvailableIndex = 2;
        Assert.Equal(TransferResult.SourceFault, wire.Pass());
        Assert.Equal(Frames.Numbered(1, 60), wire.Receiver.ReceiveFrame());
        Assert.Equal(QueueFault.HeadOutOfRange, wire.Source.Queue.Fault);
        Assert.Equal(1, wire.SentRing.UsedIndex);
    }

    private static Wire Offloading(ulong sends, ulong takes) =>
        new(new() { Features = TestGuest.PlainFeatures | sends }, new() { Features = TestGuest.PlainFeatures | takes });

    private static void AssertDropped(Wire wire, NetHeader header, byte[] frame, DropReason reason)
    {
        wire.Sender.Transmit().Send(header, frame);
        AssertDroppedNow(wire, reason);
    }

    private static void AssertDroppedNow(Wire wire, DropReason reason)
    {
        Assert.Equal(TransferResult.SourceEmpty, wire.Pass());
        Assert.Equal(0u, wire.Sender.Transmit().NextUsed());
        Assert.Equal([(reason, 1L)], wire.SenderCounters.Traffic.Drops);
        wire.AssertAccounted(1, 0);
        // Nothing of the receiver's was touched.
        Assert.Equal(0, wire.ReceivedRing.UsedIndex);
        wire.Sender.Send(Frames.Numbered(2, 60));
        wire.Receiver.Receive().PostBuffers(wire.Receiver.Receive().Driver.InFlight == 0 ? 1 : 0, 2048);
        wire.Pass();
        Assert.Equal(Frames.Numbered(2, 60), wire.Receiver.ReceiveFrame());
    }
}
