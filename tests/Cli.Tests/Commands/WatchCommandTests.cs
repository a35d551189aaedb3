using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Commands;

public class WatchCommandTests : SwitchTest
{
    private static readonly Event Happened = new()
    {
        Time = new Timestamp { Seconds = 1, Nanos = 250_000_000 },
        Text = "port a is running",
        Kind = EventKind.Changed,
        Port = new Port { Name = "a" },
    };

    [Fact]
    public async Task EventsAreLinesUntilCtrlCWhichIsSuccess()
    {
        using var interrupt = new CancellationTokenSource();
        CliRun run = Cli();
        Task<int> watching = run.RunAsync(["watch"], interrupt.Token);
        await Control.Events.WriteAsync(Happened);
        Assert.Equal("1970-01-01 00:00:01.250  port a is running", await run.Out.NextLineAsync());
        await interrupt.CancelAsync();
        Assert.Equal(0, await watching);
        Assert.Equal("", run.Error.ToString());
        Assert.False(Control.OnlyRequest<WatchRequest>().ReplayCurrent);
    }

    [Fact]
    public async Task CurrentIsPassed()
    {
        Control.Events.Complete();
        await Cli().RunAsync("watch", "--current");
        Assert.True(Control.OnlyRequest<WatchRequest>().ReplayCurrent);
    }

    [Fact]
    public async Task JsonIsOneObjectPerLine()
    {
        CliRun run = Cli();
        Task<int> watching = run.RunAsync("watch", "--json");
        await Control.Events.WriteAsync(Happened);
        using JsonDocument line = JsonDocument.Parse(await run.Out.NextLineAsync());
        Assert.Equal("EVENT_KIND_CHANGED", line.RootElement.GetProperty("kind").GetString());
        Assert.Equal("0", line.RootElement.GetProperty("missed").GetString());
        Assert.Equal("a", line.RootElement.GetProperty("port").GetProperty("name").GetString());
        Control.Events.Complete();
        await watching;
    }

    [Fact]
    public async Task EventsThatWereLeftOutAreSaid()
    {
        CliRun run = Cli();
        Task<int> watching = run.RunAsync("watch");
        await Control.Events.WriteAsync(new Event(Happened) { Missed = 3 });
        Assert.Contains("(3 events left out", await run.Out.NextLineAsync());
        Assert.EndsWith("port a is running", await run.Out.NextLineAsync());
        Control.Events.Complete();
        await watching;
    }

    [Fact]
    public async Task AnEventIsOneLineWhateverItsText()
    {
        CliRun run = Cli();
        Task<int> watching = run.RunAsync("watch");
        await Control.Events.WriteAsync(new Event(Happened) { Text = "a\nb\u001b[2J" });
        Assert.EndsWith("  a?b?[2J", await run.Out.NextLineAsync());
        Control.Events.Complete();
        await watching;
    }

    [Fact]
    public async Task AStreamThatTheSwitchEndsIsAnError()
    {
        Control.Events.Complete();
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("watch"));
        Assert.StartsWith($"interguest: the connection to the switch at {Switch.Endpoint} broke", run.Error.ToString());
    }

    [Fact]
    public async Task ASwitchThatDiesIsAnError()
    {
        CliRun run = Cli();
        Task<int> watching = run.RunAsync("watch");
        await Control.Events.WriteAsync(Happened);
        await run.Out.NextLineAsync();
        await Switch.StopAsync();
        Assert.Equal(ExitCodes.Refused, await watching.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.StartsWith("interguest: ", run.Error.ToString());
        Assert.DoesNotContain("   at ", run.Error.ToString());
    }
}
