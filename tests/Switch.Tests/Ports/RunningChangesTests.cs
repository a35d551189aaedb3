using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>What front-ends change while traffic flows: no frame may be lost, doubled or go to the wrong place.</summary>
public class RunningChangesTests
{
    /// <summary>The guest that changes; the other one's rings are split.</summary>
    protected virtual TestGuestOptions Guest { get; } = new();

    /// <summary>What GET_VRING_BASE says of a ring of which so many entries were taken and given back (vhost-user, "Vring state").</summary>
    protected virtual uint StateAfter(uint entries) => entries;

    [Fact]
    public void TheMemoryTableMayBeReplaced() => WhileFramesFlow((_, guest) =>
        guest.FrontEnd.SetMemoryTable((guest.Memory.Layout, guest.Memory.File)));

    [Fact]
    public void RegionsMayBeAddedAndRemoved() => WhileFramesFlow((_, guest) =>
    {
        using var more = new DriverMemory(1 << 20, 0x9000_0000);
        guest.FrontEnd.ChangeMemory(RequestCode.AddMemoryRegion, more.Layout, more.File);
        // QEMU sends no file and no offset with this one.
        guest.FrontEnd.ChangeMemory(RequestCode.RemoveMemoryRegion, more.Layout);
    });

    [Fact]
    public void RingsMayBeStoppedAndStarted() => WhileFramesFlow((_, guest) =>
    {
        uint receive = guest.FrontEnd.StopVring(0), transmit = guest.FrontEnd.StopVring(1);
        guest.StartRing(1, transmit);
        guest.StartRing(0, receive);
    });

    /// <summary>The same addresses again, as QEMU says them when it switches the dirty log on and off.</summary>
    [Fact]
    public void RingsMayBeReaddressed() => WhileFramesFlow((_, guest) =>
    {
        guest.FrontEnd.SetVringAddress(0, guest.Receive().Driver.Layout);
        guest.FrontEnd.SetVringAddress(1, guest.Transmit().Driver.Layout);
    });

    [Fact]
    public void RingsMayBeDisabledAndEnabled() => WhileFramesFlow((_, guest) =>
    {
        guest.FrontEnd.SetVring(RequestCode.SetVringEnable, 0, 0);
        guest.FrontEnd.SetVring(RequestCode.SetVringEnable, 0, 1);
    });

    /// <summary>QEMU 10 asks for the features, at any moment, to know that what it said before was done.</summary>
    [Fact]
    public void FeaturesMayBeAskedForAtAnyMoment() => WhileFramesFlow((_, guest) =>
    {
        guest.FrontEnd.Get(RequestCode.GetFeatures);
        guest.FrontEnd.Set(RequestCode.SetVringCall, 0, guest.Receive().Call.Descriptor);
        guest.FrontEnd.Get(RequestCode.GetFeatures);
    });

    /// <summary>A region may begin anywhere in its file (QEMU: below a hole), also where no mapping can.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(4095)]
    [InlineData(4096 + 48)]
    public void ARegionMayBeginAnywhereInItsFile(int offset)
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(b: new() { ReceiveBufferBytes = 9000 });
        using var _ = a;
        using var __ = b;
        using var more = new DriverMemory(1 << 20, 0x9000_0000);
        a.FrontEnd.ChangeMemory(RequestCode.AddMemoryRegion, new RegionLayout(0xa000_0000, 8192, 0x7777_0000, (ulong)offset), more.File);
        byte[] frame = Frames.Numbered(1, 5000);
        frame.CopyTo(more.At(0x9000_0000 + (ulong)offset + 12, frame.Length));
        a.Transmit().Driver.TryAdd([new(0xa000_0000, 5012)], [], 0);
        a.Transmit().KickIfWanted();
        Assert.Equal(frame, b.ReceiveFrame());
        Assert.Equal(0u, a.Transmit().NextUsed());
    }

    [Fact]
    public void TheCallMayBeReplaced() => WhileFramesFlow((_, guest) =>
    {
        guest.FrontEnd.Set(RequestCode.SetVringCall, 0, guest.Receive().Call.Descriptor);
        guest.FrontEnd.Set(RequestCode.SetVringCall, 1, guest.Transmit().Call.Descriptor);
    });

    [Fact]
    public void TheSameFeaturesMayBeSetAgain() => WhileFramesFlow((_, guest) => guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features));

    [Fact]
    public void TheLinkMayBeAskedFor() => WhileFramesFlow((board, _) => board.Port("a"));

    [Fact]
    public void ARegionAddedCarriesFrames()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(Guest);
        using var _ = a;
        using var __ = b;
        using var more = new DriverMemory(1 << 20, 0x9000_0000);
        a.FrontEnd.ChangeMemory(RequestCode.AddMemoryRegion, more.Layout, more.File);
        Assert.Equal((16u << 20) + (1 << 20), board.Port("a").MappedBytes);
        byte[] frame = Frames.Numbered(1, 100);
        ulong at = more.Allocate(112);
        frame.CopyTo(more.At(at + 12, 100));
        a.Transmit().Driver.TryAdd([new(at, 112)], [], 0);
        a.Transmit().KickIfWanted();
        Assert.Equal(frame, b.ReceiveFrame());
        a.Transmit().NextUsed();

        a.FrontEnd.ChangeMemory(RequestCode.RemoveMemoryRegion, more.Layout);
        a.Transmit().Driver.TryAdd([new(at, 112)], [], 0);
        a.Transmit().KickIfWanted();
        Assert.Equal(0u, a.Transmit().NextUsed());
        Assert.Equal(1ul, board.Port("a").Dropped("bad_chain"));
        Assert.Equal("address_not_mapped", board.Port("a").Counters.Faults.Single().Reason);
        Exchange.BothWays(a, b);
    }

    [Fact]
    public void RingsWithoutAKickArePolled()
    {
        const ulong noDescriptor = 0x100;
        using var board = new TestSwitch();
        var (a, b) = board.Join(Guest);
        using var _ = a;
        using var __ = b;
        a.FrontEnd.Set(RequestCode.SetVringKick, 0 | noDescriptor);
        a.FrontEnd.Set(RequestCode.SetVringKick, 1 | noDescriptor);
        Exchange.BothWays(a, b);
        a.FrontEnd.Set(RequestCode.SetVringKick, 1, a.Transmit().Kick.Descriptor);
        Exchange.BothWays(a, b);
    }

    [Fact]
    public void ARingMayMoveToAnotherPlace()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(Guest);
        using var _ = a;
        using var __ = b;
        Exchange.BothWays(a, b);
        // The guest's driver is loaded anew: new rings, and indices from 0.
        using var anew = new TestGuest(Guest);
        anew.Attach(a.FrontEnd);
        Assert.Equal((StateAfter(5), StateAfter(5)), (a.FrontEnd.StopVring(0), a.FrontEnd.StopVring(1)));
        a.FrontEnd.SetMemoryTable((anew.Memory.Layout, anew.Memory.File));
        anew.StartRing(0, StateAfter(0));
        anew.StartRing(1, StateAfter(0));
        Exchange.BothWays(anew, b);
        board.AssertAccounted("a", 10);
        board.AssertAccounted("b", 10);
    }

    /// <summary>
    /// VIRTIO 1.2, 2.6.1 (queue reset), as a front-end that handles VIRTIO_F_RING_RESET says it: one ring stops, and begins
    /// anew elsewhere with another size, while the other one goes on.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task ARingMayBeResetToAnotherSizeUnderTraffic(uint ring)
    {
        const int frames = 1000, perLife = 5;
        using var board = new TestSwitch();
        var (a, b) = board.Join(Guest, hold: TimeSpan.FromSeconds(60));
        using var _ = a;
        using var __ = b;
        var lives = new List<TestGuest>();
        // The traffic is on the ring that is not reset.
        var stream = Task.Run(() => ring == 0 ? Stream(a, b, frames) : Stream(b, a, frames));
        try
        {
            foreach (int size in new[] { 256, 8, 1024, 64 })
            {
                Assert.Equal(StateAfter(lives.Count == 0 ? 0u : perLife), a.FrontEnd.StopVring(ring));
                var next = new TestGuest(Guest with { QueueSize = size, GuestAddress = a.Memory.Layout.GuestAddress + ((ulong)(lives.Count + 1) << 28) });
                lives.Add(next);
                next.Attach(a.FrontEnd);
                a.FrontEnd.ChangeMemory(RequestCode.AddMemoryRegion, next.Memory.Layout, next.Memory.File);
                next.StartRing(ring, StateAfter(0));
                Exchange.OneWay(ring == 0 ? b : next, ring == 0 ? next : b, perLife);
            }
            int lost = await stream;
            var ports = new[] { board.Port("a"), board.Port("b") };
            Assert.Equal(lost, (int)ports.Aggregate(0UL, (sum, p) => sum + p.Dropped()));
            Assert.All(ports, p => Assert.Equal((PortState.Running, "", 0), (p.State, p.Fault, p.Counters.Faults.Count)));
        }
        finally
        {
            lives.ForEach(l => l.Dispose());
        }
    }

    [Fact]
    public void AStoppedRingIsNotTouchedAndItsBaseIsRight()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(Guest);
        using var _ = a;
        using var __ = b;
        Exchange.OneWay(a, b, 7);
        Assert.Equal(StateAfter(7), a.FrontEnd.StopVring(1));
        Assert.Equal(StateAfter(0), a.FrontEnd.StopVring(0)); // buffers were posted, and none was used
        a.Send(Frames.Numbered(8, 60));
        b.Send(Frames.Numbered(9, 60));
        Assert.Equal(0u, b.Transmit().NextUsed());
        Assert.Equal(1ul, board.Port("b").Dropped("peer_not_running"));
        Assert.False(a.Transmit().Driver.TryGetUsed(out int _, out uint _));
        Assert.False(a.Receive().Driver.TryGetUsed(out int _, out uint _));
        Assert.Equal(StateAfter(7), a.FrontEnd.StopVring(1)); // asked twice, as QEMU does after an error
    }

    /// <summary>Both ways at once, while the front-end of one does its worst.</summary>
    private void WhileFramesFlow(Action<TestSwitch, TestGuest> change)
    {
        const int frames = 1500;
        using var board = new TestSwitch();
        var (a, b) = board.Join(Guest, hold: TimeSpan.FromSeconds(60));
        using var _ = a;
        using var __ = b;
        var there = Task.Run(() => Stream(a, b, frames));
        var back = Task.Run(() => Stream(b, a, frames));
        int changes = 0;
        for (; !there.IsCompleted || !back.IsCompleted || changes < 20; changes++)
            change(board, a);
        // Frames sent to a ring that is stopped at that moment are dropped, and counted.
        int lost = there.GetAwaiter().GetResult() + back.GetAwaiter().GetResult();
        board.AssertAccounted("a", frames);
        board.AssertAccounted("b", frames);
        var ports = new[] { board.Port("a"), board.Port("b") };
        Assert.Equal(lost, (int)ports.Aggregate(0UL, (sum, p) => sum + p.Dropped("peer_not_running")));
        Assert.Equal(lost, (int)ports.Aggregate(0UL, (sum, p) => sum + p.Dropped()));
        Assert.All(ports, p => Assert.Equal("", p.Fault));
        Assert.Equal(LinkState.Up, board.Link("wire").State);
    }

    /// <summary>Sends numbered frames, one after the other is given back; the receiver must get them in order, none twice.</summary>
    /// <returns>How many did not arrive.</returns>
    private static int Stream(TestGuest from, TestGuest to, int frames)
    {
        int next = 0, lost = 0;
        for (int i = 0; i < frames; i++)
        {
            from.Send(Frames.Numbered(i, 100));
            from.Transmit().NextUsed();
            // Delivered before it is given back: what is not there now never comes.
            if (!to.Receive().HasUsed)
            {
                lost++;
                continue;
            }
            byte[] got = to.ReceiveFrame();
            Assert.Equal(Frames.Numbered(i, 100), got);
            Assert.True(Frames.NumberOf(got) >= next);
            next = Frames.NumberOf(got) + 1;
        }
        Assert.False(to.Receive().HasUsed);
        return lost;
    }
}

/// <summary>The same with packed rings, whose place is told in another way.</summary>
public class PackedRunningChangesTests : RunningChangesTests
{
    protected override TestGuestOptions Guest { get; } = new() { Features = TestGuest.PlainFeatures | Features.RingPacked | Features.RingEventIndex };

    protected override uint StateAfter(uint entries) => 0x8000_8000 | entries | entries << 16;
}
