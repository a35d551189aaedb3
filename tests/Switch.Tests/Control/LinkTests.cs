using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Links made, set down and up, and removed, while guests send: every frame is accounted for.</summary>
public class LinkTests
{
    [Fact]
    public void ALinkSaysWhatItWaitsFor()
    {
        using var board = new TestSwitch();
        string first = board.AddPort("a"), second = board.AddPort("b");
        board.AddLink("wire", "a", "b");
        Assert.Equal((LinkState.Waiting, "port a is listening, port b is listening"), State(board));
        using var a = TestGuest.Run(first);
        Assert.Equal((LinkState.Waiting, "port b is listening"), State(board));
        using var b = TestGuest.Run(second);
        Assert.Equal((LinkState.Up, ""), State(board));
        board.Do(s => s.SetLinkUp("wire", false));
        Assert.Equal((LinkState.Down, "set down by its owner"), State(board));
        board.Do(s => s.SetLinkUp("wire", true));
        Assert.Equal((LinkState.Up, ""), State(board));
    }

    [Fact]
    public void FramesAreDroppedByTheReasonOfTheMoment()
    {
        using var board = new TestSwitch();
        string first = board.AddPort("a"), second = board.AddPort("b");
        using var a = TestGuest.Run(first);
        Exchange.ToNowhere(a, 2);
        board.AddLink("wire", "a", "b");
        Exchange.ToNowhere(a, 3);
        using var b = TestGuest.Run(second);
        Exchange.BothWays(a, b, 4);
        board.Do(s => s.SetLinkUp("wire", false));
        Exchange.ToNowhere(a, 5);
        board.Do(s => s.SetLinkUp("wire", true));
        Exchange.BothWays(a, b, 6);
        var link = board.Link("wire");
        board.Do(s => s.DeleteLink("wire"));
        Exchange.ToNowhere(a, 7);

        var port = board.Port("a");
        Assert.Equal((9ul, 3ul, 5ul), (port.Dropped("no_link"), port.Dropped("peer_not_running"), port.Dropped("link_down")));
        Assert.Equal((10ul, 2000ul), (port.Counters.TxFrames, port.Counters.TxBytes));
        Assert.Equal((10ul, 2000ul), (port.Counters.RxFrames, port.Counters.RxBytes));
        var there = link.Directions[0];
        Assert.Equal(("a", "b", 10ul, 2000ul), (there.From, there.To, there.Frames, there.Bytes));
        Assert.Equal(["link_down 5", "peer_not_running 3"], there.Drops.Select(d => $"{d.Reason} {d.Count}").Order());
        Assert.Empty(link.Directions[1].Drops);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AHundredChangesUnderTrafficLoseNoCount(bool remove)
    {
        const int frames = 3000;
        using var board = new TestSwitch();
        var (a, b) = board.Join(hold: TimeSpan.FromSeconds(5));
        using var _ = a;
        using var __ = b;
        var flow = Task.Run(() => Flood(a, b, frames));
        for (int i = 0; i < 100; i++)
        {
            if (remove)
            {
                board.Do(s => s.DeleteLink("wire"));
                board.AddLink("wire", i % 2 == 0 ? "b" : "a", i % 2 == 0 ? "a" : "b");
            }
            else
            {
                board.Do(s => s.SetLinkUp("wire", i % 2 == 1));
            }
        }
        if (!remove)
            Assert.True(board.Link("wire").AdminUp);
        int received = await flow;
        board.AssertAccounted("a", frames);
        Assert.Equal(received, (int)board.Port("a").Counters.TxFrames);
        Assert.Equal(received, (int)board.Port("b").Counters.RxFrames);
        Exchange.BothWays(a, b);
    }

    [Fact]
    public void WithoutBuffersFramesWaitForTheHoldAndAreCounted()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(b: new() { ReceiveBuffers = 0 }, hold: TimeSpan.FromMilliseconds(100));
        using var _ = a;
        using var __ = b;
        Exchange.ToNowhere(a, 3);
        Assert.Equal(3ul, board.Port("a").Dropped("no_buffers"));
        Assert.Equal(0.1, board.Link("wire").Hold.ToTimeSpan().TotalSeconds);
        b.Receive().PostBuffers(8, 2048);
        Exchange.OneWay(a, b);
        board.AssertAccounted("a", 8);
    }

    [Fact]
    public void AnOffloadThatTheOtherEndRefusedIsDoneAndItsCostIsTold()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(new() { Features = TestGuest.PlainFeatures | Features.NetChecksum });
        using var _ = a;
        using var __ = b;
        a.Transmit().Send(new NetHeader { Flags = 1, ChecksumStart = 14, ChecksumOffset = 4 }, new byte[60]);
        byte[] frame = b.ReceiveFrame();
        Assert.Equal([0xff, 0xff], frame[18..20]);
        a.Transmit().NextUsed();
        var link = board.Link("wire");
        Assert.Equal((1ul, 1ul, 46ul), (link.Directions[0].Translation.Frames, link.Directions[0].Translation.Segments, link.Directions[0].Translation.BytesSummed));
        Assert.Equal(0ul, link.Directions[1].Translation.Frames);
        string warning = Assert.Single(link.Warnings);
        Assert.StartsWith("a may send what b refused (VIRTIO_NET_F_GUEST_CSUM): the switch does it per frame, 1 frames in ", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void TheSecondGuestIsOfferedWhatTheFirstRefused()
    {
        using var board = new TestSwitch();
        string first = board.AddPort("a"), second = board.AddPort("b");
        board.AddLink("wire", "a", "b");
        using var a = TestGuest.Run(first); // takes no offloads
        using var b = new TestGuest();
        b.Connect(second);
        Assert.Equal(a.Offered, b.Offered);
        Assert.NotEqual(0ul, b.Offered & Features.NetHostTso4);
    }

    private static (LinkState, string) State(TestSwitch board) => (board.Link("wire").State, board.Link("wire").Reason);

    /// <summary>Sends as fast as the ring takes frames; checks order on the other side.</summary>
    /// <returns>How many arrived.</returns>
    private static int Flood(TestGuest from, TestGuest to, int frames)
    {
        int sent = 0, returned = 0, received = 0, last = -1;
        while (returned < frames)
        {
            while (sent < frames && from.Transmit().Driver.Free > 0)
                from.Send(Frames.Numbered(sent++, 60));
            while (to.Receive().HasUsed)
                Take();
            if (from.Transmit().HasUsed)
            {
                from.Transmit().NextUsed();
                returned++;
            }
        }
        while (to.Receive().HasUsed)
            Take();
        return received;

        void Take()
        {
            byte[] frame = to.ReceiveFrame();
            Assert.Equal(Frames.Numbered(Frames.NumberOf(frame), 60), frame);
            Assert.True(Frames.NumberOf(frame) > last);
            last = Frames.NumberOf(frame);
            received++;
        }
    }
}
