using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using InterGuest.Protos.V1;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.Control;

/// <summary>The service as its clients see it, over a real socket.</summary>
public sealed class GrpcTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private RunningApplication _switch = null!;

    private Protos.V1.Control.ControlClient Client => _switch.Client;

    public async Task InitializeAsync() => _switch = await RunningApplication.StartAsync(RunningApplication.OptionsIn(_directory));

    public async Task DisposeAsync() => await _switch.DisposeAsync();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task PortsAreMadeShownAndRemoved()
    {
        var made = await Client.CreatePortAsync(new() { Name = "b" });
        Assert.Equal(
            ("b", DeviceType.Net, SocketMode.Listen, _directory.At("ports/b.sock"), 1u, PortState.Listening),
            (made.Name, made.Type, made.Mode, made.SocketPath, made.QueuePairs, made.State));
        var other = await Client.CreatePortAsync(
            new() { Name = "a", Type = DeviceType.Net, Mode = SocketMode.Connect, SocketPath = _directory.At("guest.sock"), QueuePairs = 3 });
        Assert.Equal((SocketMode.Connect, _directory.At("guest.sock"), 3u, PortState.Connecting), (other.Mode, other.SocketPath, other.QueuePairs, other.State));
        Assert.Equal(made, await Client.GetPortAsync(new() { Name = "b" }));
        Assert.Equal(["a", "b"], (await Client.ListPortsAsync(new())).Ports.Select(p => p.Name));
        await Client.DeletePortAsync(new() { Name = "b" });
        Assert.Equal(["a"], (await Client.ListPortsAsync(new())).Ports.Select(p => p.Name));
        Assert.False(File.Exists(made.SocketPath));
    }

    [Fact]
    public async Task LinksAreMadeSetAndRemoved()
    {
        await MakePorts();
        var made = await Client.CreateLinkAsync(new() { Name = "l", Ports = { "b", "a" } });
        Assert.Equal(("l", true, LinkState.Waiting, 0.5), (made.Name, made.AdminUp, made.State, made.Hold.ToTimeSpan().TotalSeconds));
        Assert.Equal(["b", "a"], made.Ports);
        Assert.Equal([("b", "a"), ("a", "b")], made.Directions.Select(d => (d.From, d.To)));
        Assert.Equal("l", (await Client.GetPortAsync(new() { Name = "a" })).Link);
        Assert.Equal(LinkState.Down, (await Client.SetLinkUpAsync(new() { Name = "l", Up = false })).State);
        Assert.False((await Client.GetLinkAsync(new() { Name = "l" })).AdminUp);
        Assert.Equal(["l"], (await Client.ListLinksAsync(new())).Links.Select(l => l.Name));
        await Client.DeleteLinkAsync(new() { Name = "l" });
        Assert.Empty((await Client.ListLinksAsync(new())).Links);
        var held = await Client.CreateLinkAsync(new() { Name = "m", Ports = { "a", "b" }, Hold = Duration.FromTimeSpan(TimeSpan.Zero) });
        Assert.Equal(TimeSpan.Zero, held.Hold.ToTimeSpan());
    }

    [Fact]
    public async Task TheStatusIsTheWholePicture()
    {
        await MakePorts();
        await Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } });
        using var a = TestGuest.Run(_directory.At("ports/a.sock"));
        using var b = TestGuest.Run(_directory.At("ports/b.sock"));
        Exchange.BothWays(a, b);
        var status = await Client.GetStatusAsync(new());
        Assert.Equal((Environment.ProcessId, _directory.At("ports"), 1u), (status.Switch.Pid, status.Switch.SocketDirectory, status.Switch.EventLoops));
        Assert.Matches(@"^\d+\.\d+\.\d+", status.Switch.Version);
        Assert.True(status.Switch.Uptime.ToTimeSpan() > TimeSpan.Zero);
        Assert.Equal([("a", PortState.Running, "l", 5ul, 5ul), ("b", PortState.Running, "l", 5ul, 5ul)],
            status.Ports.Select(p => (p.Name, p.State, p.Link, p.Counters.TxFrames, p.Counters.RxFrames)));
        var link = Assert.Single(status.Links);
        Assert.Equal(LinkState.Up, link.State);
        Assert.Equal([(5ul, 1000ul), (5ul, 1000ul)], link.Directions.Select(d => (d.Frames, d.Bytes)));
        Assert.True((await Client.GetStatusAsync(new())).Switch.Uptime.ToTimeSpan() > status.Switch.Uptime.ToTimeSpan());
    }

    [Fact]
    public async Task ErrorsHaveTheirCodes()
    {
        await MakePorts();
        await Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } });
        await Fails(StatusCode.AlreadyExists, "port a exists", Client.CreatePortAsync(new() { Name = "a" }));
        await Fails(StatusCode.InvalidArgument, "name: ", Client.CreatePortAsync(new()));
        await Fails(StatusCode.InvalidArgument, "queue_pairs: ", Client.CreatePortAsync(new() { Name = "x", QueuePairs = 129 }));
        await Fails(StatusCode.InvalidArgument, "queue_pairs: ", Client.CreatePortAsync(new() { Name = "x", QueuePairs = uint.MaxValue }));
        await Fails(StatusCode.InvalidArgument, "socket_path: ", Client.CreatePortAsync(new() { Name = "x", SocketPath = "x" }));
        await Fails(StatusCode.InvalidArgument, "type: ", Client.CreatePortAsync(new() { Name = "x", Type = (DeviceType)77 }));
        await Fails(StatusCode.NotFound, "no port x", Client.GetPortAsync(new() { Name = "x" }));
        await Fails(StatusCode.NotFound, "no port x", Client.DeletePortAsync(new() { Name = "x" }));
        await Fails(StatusCode.FailedPrecondition, "used by link l", Client.DeletePortAsync(new() { Name = "a" }));
        await Fails(StatusCode.AlreadyExists, "link l exists", Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } }));
        await Fails(StatusCode.FailedPrecondition, "linked already", Client.CreateLinkAsync(new() { Name = "m", Ports = { "a", "b" } }));
        await Fails(StatusCode.InvalidArgument, "ports: ", Client.CreateLinkAsync(new() { Name = "m", Ports = { "a" } }));
        await Fails(StatusCode.InvalidArgument, "hold: ", Client.CreateLinkAsync(new() { Name = "m", Ports = { "a", "b" }, Hold = new() { Seconds = 61 } }));
        await Fails(StatusCode.NotFound, "no link x", Client.GetLinkAsync(new() { Name = "x" }));
        await Fails(StatusCode.NotFound, "no link x", Client.DeleteLinkAsync(new() { Name = "x" }));
        await Fails(StatusCode.NotFound, "no link x", Client.SetLinkUpAsync(new() { Name = "x" }));
        await Fails(StatusCode.NotFound, "no link x", Client.MoveLinkAsync(new() { Name = "x" }));
        await Fails(StatusCode.InvalidArgument, "loop: ", Client.MoveLinkAsync(new() { Name = "l", Loop = 1000 }));
    }

    /// <summary>A client in any language can send these: durations that are none.</summary>
    [Theory]
    [InlineData(long.MaxValue, 0)]
    [InlineData(1, -1)]
    [InlineData(0, 2_000_000_000)]
    public async Task AHoldThatIsNoDurationIsTheClientsFault(long seconds, int nanoseconds)
    {
        await MakePorts();
        await Fails(StatusCode.InvalidArgument, "hold: ",
            Client.CreateLinkAsync(new() { Name = "m", Ports = { "a", "b" }, Hold = new() { Seconds = seconds, Nanos = nanoseconds } }));
    }

    /// <summary>From a later client: not to be taken for something else.</summary>
    [Fact]
    public async Task AModeThatIsNotKnownIsRefused() =>
        await Fails(StatusCode.InvalidArgument, "mode: ", Client.CreatePortAsync(new() { Name = "x", Mode = (SocketMode)77 }));

    [Fact]
    public async Task AWatchShowsWhatHappensInOrder()
    {
        await MakePorts();
        await Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } });
        using var watch = Client.Watch(new() { ReplayCurrent = true });
        await watch.ResponseHeadersAsync; // from now on nothing is missed
        await Client.SetLinkUpAsync(new() { Name = "l", Up = false });
        await Client.DeleteLinkAsync(new() { Name = "l" });
        await Client.CreatePortAsync(new() { Name = "c" });
        await Client.DeletePortAsync(new() { Name = "c" });
        using (TestGuest.Run(_directory.At("ports/a.sock")))
        {
            Assert.Equal(
                [
                    "Current port a is listening", "Current port b is listening", "Current link l is waiting",
                    "Changed link l is down", "Deleted link l is removed", "Created port c is listening", "Deleted port c is removed",
                    "Changed port a is connected", "Changed port a is negotiating", "Changed port a is running",
                ],
                await Read(watch, 10));
        }
        Assert.Equal(["Changed port a is listening"], await Read(watch, 1));
    }

    [Fact]
    public async Task WithoutAReplayAWatchBeginsNow()
    {
        await MakePorts();
        using var watch = Client.Watch(new());
        await watch.ResponseHeadersAsync;
        await Client.DeletePortAsync(new() { Name = "a" });
        Assert.Equal(["Deleted port a is removed"], await Read(watch, 1));
        Assert.Equal("a", watch.ResponseStream.Current.Port.Name);
    }

    [Fact]
    public async Task AWatcherThatGoesIsForgottenAndOthersGoOn()
    {
        using var stays = Client.Watch(new());
        await stays.ResponseHeadersAsync;
        for (int i = 0; i < 5; i++)
        {
            using var goes = Client.Watch(new());
            await goes.ResponseHeadersAsync;
        }
        await Client.CreatePortAsync(new() { Name = "a" });
        Assert.Equal(["Created port a is listening"], await Read(stays, 1));
    }

    [Fact]
    public async Task AWatchEndsWithUnavailableWhenTheSwitchStops()
    {
        using var watch = Client.Watch(new());
        await watch.ResponseHeadersAsync;
        await _switch.StopAsync();
        var error = await Assert.ThrowsAsync<RpcException>(() => watch.ResponseStream.MoveNext(default));
        Assert.Equal((StatusCode.Unavailable, "the switch is stopping"), (error.StatusCode, error.Status.Detail));
        Assert.False(File.Exists(_switch.Options.ControlSocket));
    }

    [Fact]
    public async Task ManyClientsAtOnceSeeOneOrder()
    {
        var all = Enumerable.Range(0, 40).Select(async i =>
        {
            try
            {
                return (await Client.CreatePortAsync(new() { Name = $"p{i % 8}" })).Name;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.AlreadyExists)
            {
                return "";
            }
        });
        Assert.Equal(8, (await Task.WhenAll(all)).Count(name => name != ""));
    }

    private async Task MakePorts()
    {
        await Client.CreatePortAsync(new() { Name = "a" });
        await Client.CreatePortAsync(new() { Name = "b" });
    }

    private static async Task Fails<T>(StatusCode code, string text, AsyncUnaryCall<T> call)
    {
        using (call)
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
            Assert.Equal((code, true), (error.StatusCode, error.Status.Detail.Contains(text, StringComparison.Ordinal)));
        }
    }

    private static async Task<List<string>> Read(AsyncServerStreamingCall<Event> watch, int count)
    {
        var texts = new List<string>();
        while (texts.Count < count && await Wait.ForAsync(watch.ResponseStream.MoveNext(default), "the next event"))
        {
            var happened = watch.ResponseStream.Current;
            texts.Add($"{happened.Kind} {string.Join(' ', happened.Text.Split(' ')[..4])}".TrimEnd(':'));
        }
        return texts;
    }
}
