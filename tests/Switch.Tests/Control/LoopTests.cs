using InterGuest.Switch.Control;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.Tests.Block;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Which thread a link is given to, and its way from one to another.</summary>
public class LoopTests
{
    [Fact]
    public void AMoveUnderTrafficLosesNothing()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(hold: TimeSpan.FromSeconds(60));
        using var _ = a;
        using var __ = b;
        for (int i = 0; i < 100; i++)
        {
            a.Send(Frames.Numbered(2 * i, 60));
            uint to = 1 - board.Link("wire").Loop;
            Assert.Equal(to, board.Do(s => s.MoveLink("wire", to).ToProto()).Loop);
            a.Send(Frames.Numbered(2 * i + 1, 60));
            for (int n = 2 * i; n < 2 * i + 2; n++)
            {
                Assert.Equal(Frames.Numbered(n, 60), b.ReceiveFrame());
                a.Transmit().NextUsed();
            }
        }
        board.AssertAccounted("a", 200);
        Exchange.BothWays(a, b);
        Assert.Equal(100, board.Events.Count(e => e.StartsWith("link wire: is moved to loop ", StringComparison.Ordinal)));
        Assert.Equal([0, 1], board.Do(s => s.Loops.Select(l => l.Links).Order().ToArray()));
    }

    [Fact]
    public void AServersLinksGoTogether()
    {
        using var rig = new BlockRig();
        rig.AddOther();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        using var other = rig.Client(port: "other");
        for (int i = 0; i < 10; i++)
        {
            int a = client.Write(0, RequestTests.Pattern(512, 1)), b = other.Write(1, RequestTests.Pattern(512, 2));
            uint to = 1 - rig.Switch.Link("d1").Loop;
            rig.Switch.Do(s => s.MoveLink("d2", to));
            Assert.Equal((to, to), (rig.Switch.Link("d1").Loop, rig.Switch.Link("d2").Loop));
            server.Serve(2);
            client.Ends(BlockStatus.Ok, a);
            other.Ends(BlockStatus.Ok, b);
        }
    }

    [Fact]
    public void ALoopThatThereIsNotIsRefused()
    {
        using var board = new TestSwitch();
        board.AddPort("a");
        board.AddPort("b");
        board.AddLink("wire", "a", "b");
        var refused = Assert.Throws<SwitchException>(() => board.Do(s => s.MoveLink("wire", 2)));
        Assert.Equal((SwitchError.Invalid, "loop: there is no loop 2: this switch has 2, from 0. It is started with --loops N to have more"), (refused.Kind, refused.Message));
        Assert.Equal(SwitchError.NotFound, Assert.Throws<SwitchException>(() => board.Do(s => s.MoveLink("x", 0))).Kind);
    }

    [Fact]
    public void LinksAreSpread()
    {
        using var board = new TestSwitch();
        foreach (string name in new[] { "a", "b", "c", "d", "e", "f", "g", "h" })
            board.AddPort(name);
        board.AddLink("1", "a", "b");
        board.AddLink("2", "c", "d");
        board.AddLink("3", "e", "f");
        board.AddLink("4", "g", "h");
        Assert.Equal([2, 2], board.Do(s => s.Loops.Select(l => l.Links).ToArray()));
    }

    [Fact]
    public void ABusyLoopGetsNothingNew()
    {
        var time = new FakeTime();
        EventLoop[] loops = [new(0), new(1)];
        var placement = new LoopPlacement(loops, time);
        foreach (var loop in loops)
            loop.Start();
        loops[0].Invoke(() =>
        {
            while (loops[0].CpuTime < TimeSpan.FromMilliseconds(200))
            {
            }
        });
        time.Pass(TimeSpan.FromSeconds(1));
        Assert.All(Enumerable.Range(0, 4), _ => Assert.Same(loops[1], placement.Next(loop => loop.Index)));
        // Once it is idle what counts is how many links there are.
        time.Pass(TimeSpan.FromSeconds(1));
        Assert.All(Enumerable.Range(0, 4), _ => Assert.Same(loops[0], placement.Next(loop => loop.Index)));
        foreach (var loop in loops)
            loop.Dispose();
    }
}
