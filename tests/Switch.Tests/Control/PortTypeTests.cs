using InterGuest.Switch.Control;
using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Ports of several types, and which of them can be linked.</summary>
public class PortTypeTests
{
    public static TheoryData<PortType, PortType> Pairs => new()
    {
        { PortType.Net, PortType.Net }, { PortType.Console, PortType.Console },
        { PortType.Block, PortType.BlockServer }, { PortType.Entropy, PortType.EntropySource },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void TypesThatMatchAreJoinedEitherWayRound(PortType first, PortType second)
    {
        using var board = new TestSwitch();
        board.AddPort("a", type: first);
        board.AddPort("b", type: second);
        board.AddLink("l", "a", "b");
        board.Do(b => b.DeleteLink("l"));
        board.AddLink("l", "b", "a");
        Assert.Equal("l", board.Port("a").Link);
    }

    [Fact]
    public void TypesThatDoNotMatchAreRefusedWithWhatWould()
    {
        using var board = new TestSwitch();
        var types = Enum.GetValues<PortType>();
        foreach (var type in types)
        {
            board.AddPort($"a-{type}", type: type);
            board.AddPort($"b-{type}", type: type);
        }
        int refused = 0;
        foreach (var (a, b) in types.SelectMany(a => types.Where(b => a.Peer() != b).Select(b => (a, b))))
        {
            var error = Assert.Throws<SwitchException>(() => board.AddLink("l", $"a-{a}", $"b-{b}"));
            Assert.Equal(SwitchError.Precondition, error.Kind);
            Assert.EndsWith($"a link joins {a.Word()} with {a.Peer().Word()}", error.Message, StringComparison.Ordinal);
            refused++;
        }
        Assert.Equal(types.Length * (types.Length - 1), refused);
    }

    [Fact]
    public void OnlyABlockServerHasSeveralLinks()
    {
        using var board = new TestSwitch();
        board.AddPort("store", type: PortType.BlockServer);
        foreach (string client in (string[])["c1", "c2", "c3"])
        {
            board.AddPort(client, type: PortType.Block);
            board.AddLink($"to-{client}", client, "store");
        }
        Assert.Equal(["to-c1", "to-c2", "to-c3"], board.Port("store").Links);
        board.AddPort("other", type: PortType.BlockServer);
        var error = Assert.Throws<SwitchException>(() => board.AddLink("again", "c1", "other"));
        Assert.Contains("linked already, by link to-c1", error.Message, StringComparison.Ordinal);
        board.Do(b => b.DeleteLink("to-c2"));
        Assert.Equal(["to-c1", "to-c3"], board.Port("store").Links);
        Assert.Throws<SwitchException>(() => board.Do(b => b.DeletePort("store")));
    }

    [Theory]
    [InlineData(PortType.Console)]
    [InlineData(PortType.BlockServer)]
    [InlineData(PortType.Entropy)]
    public void OnlyNetAndBlockHaveSeveralQueues(PortType type)
    {
        using var board = new TestSwitch();
        var error = Assert.Throws<SwitchException>(() => board.AddPort("a", queuePairs: 2, type: type));
        Assert.Contains($"queue_pairs: a port of type {type.Word()} has 1", error.Message, StringComparison.Ordinal);
        Assert.Equal(2u, board.Do(b => b.CreatePort("b", SocketMode.Listen, "", 2, type: PortType.Block).ToProto([])).QueuePairs);
    }

    [Fact]
    public void TypesSurviveARestart()
    {
        using var directory = new TemporaryDirectory();
        var options = new SwitchOptions { SocketDirectory = directory.Root, StateDirectory = directory.At("state"), EventLoops = 1 };
        var store = new StateStore(options.StateDirectory);
        using (var board = new Switchboard(options, TimeProvider.System, _ => { }))
            Do(board, b =>
            {
                foreach (var type in Enum.GetValues<PortType>())
                    b.CreatePort(type.Word(), SocketMode.Listen, "", 1, type: type);
                b.CreateLink("d", ["block", "block-server"], null);
                store.Save(b);
            });
        using (var board = new Switchboard(options, TimeProvider.System, _ => { }))
            Do(board, b =>
            {
                new StateStore(options.StateDirectory).Restore(b, Assert.Fail);
                Assert.All(b.Ports, p => Assert.Equal(p.Name, p.Spec.Type.Word()));
                Assert.Equal("d", Assert.Single(b.LinksOf(b.GetPort("block-server"))).Name);
            });
    }

    private static void Do(Switchboard board, Action<Switchboard> work) => board.InvokeAsync(() =>
    {
        work(board);
        return true;
    }).GetAwaiter().GetResult();
}
