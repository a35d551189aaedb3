using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Commands;

public class TopCommandTests : SwitchTest
{
    private const string Expected =
        """
        Switch 0.1.0, up 1 h 23 min, 3 ports, 2 links, 1.2 Gbit/s in all

        LINK  DIRECTION                 STATE  RATE        FRAMES/S  TRANSLATED/S  DROPS/S  BEFORE
        lan   build-server -> database  up     1.2 Gbit/s  83 k      0             0                           █
        lan   database -> build-server  up     0 bit/s     0         0             0                           ▁

        PORT          STATE    FROM GUEST  TO GUEST    KICKS/S  CALLS/S  FAULTS
        build-server  running  1.2 Gbit/s  0 bit/s     0        0        0
        database      running  0 bit/s     1.2 Gbit/s  0        0        0
        guest-3       faulted  0 bit/s     0 bit/s     0        0        1

        """;

    [Fact]
    public async Task WithoutATerminalOneLookIsShown()
    {
        Looks(1);
        Assert.Equal(Expected, await Cli().OutputAsync("top", "--interval", "0.01"));
        Assert.Equal(2, Control.Requests.Count);
    }

    [Fact]
    public async Task SeveralLooksDrawAGraph()
    {
        Looks(3);
        string output = await Cli().OutputAsync("top", "--interval", "0.01", "--count", "3");
        string[] rows = [.. output.Split('\n').Where(line => line.Contains("build-server -> database", StringComparison.Ordinal))];
        Assert.Equal(3, rows.Length);
        Assert.EndsWith("█", rows[0]);
        Assert.EndsWith("▅█", rows[1]); // 1.2, then 2.4 Gbit/s
        Assert.EndsWith("▄▆█", rows[2]);
    }

    [Fact]
    public async Task WithJsonEachLookIsALine()
    {
        Looks(2);
        string[] lines = (await Cli().OutputAsync("top", "--interval", "0.01", "--count", "2", "--json")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        using var first = JsonDocument.Parse(lines[0]);
        var direction = first.RootElement.GetProperty("directions")[0];
        Assert.Equal(("lan", "build-server", 1_200_000_000, 83_000), (direction.GetProperty("link").GetString(), direction.GetProperty("from").GetString(),
            direction.GetProperty("bitsPerSecond").GetDouble(), direction.GetProperty("framesPerSecond").GetDouble()));
        Assert.Equal(2, first.RootElement.GetProperty("directions").GetArrayLength());
        Assert.Equal("faulted", first.RootElement.GetProperty("ports")[2].GetProperty("state").GetString());
    }

    [Fact]
    public async Task DisksAndTranslationHaveTheirNumbers()
    {
        for (uint i = 0; i < 2; i++)
        {
            var status = Samples.Status(uptime: 5000 + i * 0.5);
            status.Links[0].Directions[0].Translation = new Translation { Frames = 100 + i * 50 };
            var latency = new Latency { Count = 10 + i * 4, Total = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(100 + i * 10)) };
            status.Ports.Add(new Port
            {
                Name = "disk", Type = DeviceType.Block, State = PortState.Running,
                Counters = new PortCounters { RxBytes = i * 1_000_000, RequestsInFlight = 3, FailedRequests = 1, Latency = latency },
            });
            Control.Samples.Enqueue(status);
        }
        string output = await Cli().OutputAsync("top", "--interval", "0.01");
        Assert.Contains("FRAMES/S  TRANSLATED/S  DROPS/S", output, StringComparison.Ordinal);
        Assert.Matches("lan   build-server -> database  up     0 bit/s  0         100 ", output);
        Assert.Contains(
            """
            DISK  READ       WRITTEN  IN FLIGHT  LATENCY  ERRORS
            disk  16 Mbit/s  0 bit/s  3          2.5 ms   1

            """, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATerminalIsDrawnAnewAndGivenBack()
    {
        Looks(2);
        CliRun run = new() { IsTerminal = true, WindowHeight = 6, Variables = { ["INTERGUEST_ENDPOINT"] = Switch.Endpoint } };
        string output = await run.OutputAsync("top", "--interval", "0.01", "--count", "2");
        Assert.StartsWith("\e[?1049h\e[?25l\e[H", output, StringComparison.Ordinal);
        Assert.EndsWith("\e[J\e[?25h\e[?1049l", output, StringComparison.Ordinal);
        string[] pages = output.Split("\e[H")[1..];
        Assert.Equal(2, pages.Length);
        Assert.All(pages, page => Assert.Equal(5, page.Count(c => c == '\n'))); // one line less than the terminal has
    }

    [Fact]
    public async Task CtrlCGivesTheTerminalBackAndIsSuccess()
    {
        Looks(1);
        using var interrupt = new CancellationTokenSource();
        CliRun run = new() { IsTerminal = true, Variables = { ["INTERGUEST_ENDPOINT"] = Switch.Endpoint } };
        Task<int> running = run.RunAsync(["top", "--interval", "3600"], interrupt.Token);
        await Control.Asked;
        await interrupt.CancelAsync();
        Assert.Equal(0, await running);
        Assert.EndsWith("\e[?1049l", run.Out.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--interval", "0")]
    [InlineData("--interval", "3601")]
    [InlineData("--count", "0")]
    public async Task OtherNumbersAreUsageErrors(string option, string text)
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Usage, await run.RunAsync("top", option, text));
        Assert.StartsWith($"interguest: {option}: '{text}' is not", run.Error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>In each of them more flows than in the one before.</summary>
    private void Looks(int count)
    {
        ulong bytes = 0, frames = 0;
        for (int i = 0; i <= count; i++)
        {
            (bytes, frames) = (bytes + (ulong)i * 75_000_000, frames + (ulong)i * 41_500);
            Control.Samples.Enqueue(Samples.Status(uptime: 5000 + i * 0.5, moreBytes: bytes, moreFrames: frames));
        }
    }
}
