using InterGuest.Cli.Tests.Fakes;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Tests.Commands;

public class StatusCommandTests : SwitchTest
{
    private const string Expected =
        """
        Switch 0.1.0, process 4242, up 1 h 23 min, 2 event loops
        Sockets in /run/interguest
        Loop 0 on CPU 3: 1 link, busy 12.5 %
        Loop 1: 0 links, busy 0.0 %

        PORT          STATE    SINCE       QUEUES  LINK  FROM GUEST  TO GUEST
        build-server  running  12 min 0 s  1/2     lan   1.2 Gbit/s  0 bit/s
        database      running  12 min 0 s  1/2     lan   0 bit/s     1.2 Gbit/s
        guest-3       faulted  0 s         0/1     -     0 bit/s     0 bit/s

        LINK  STATE    DIRECTION                 RATE        FRAMES/S  FRAMES  DROPPED
        lan   up       build-server -> database  1.2 Gbit/s  83 k      1.3 M   17
        lan   up       database -> build-server  0 bit/s     0         89      0
        test  waiting  guest-1 -> guest-3        -           -         0       0

        Port guest-3  queue 1: descriptor 300 is outside of the table of 256
        Link test     port guest-3 is faulted
                      guest-1 sends segments of 64 KiB that guest-3 refused: ethtool -K eth0 tso off

        PORT          COUNT  WHAT            REASON
        build-server  17     frames dropped  receiver_full
        build-server  1      frames dropped  too_long
        database      17     frames dropped  receiver_full
        database      1      frames dropped  too_long
        guest-3       1      faults          descriptor_index

        """;

    [Fact]
    public async Task TheWholePictureWithRates()
    {
        TwoSamples();
        Assert.Equal(Expected, await Cli().OutputAsync("status", "--interval", "0.01"));
        Assert.Equal(2, Control.Requests.Count);
    }

    [Fact]
    public async Task OnATerminalOf80ColumnsOnlyProseIsWrapped()
    {
        TwoSamples();
        CliRun run = new() { IsTerminal = true, Variables = { ["INTERGUEST_ENDPOINT"] = Switch.Endpoint } };
        string output = await run.OutputAsync("status", "--interval", "0.01");
        Assert.All(output.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
        Assert.Equal(
            Expected.Replace("ethtool -K", "ethtool\n              -K", StringComparison.Ordinal),
            output);
    }

    [Fact]
    public async Task WithoutAnIntervalThereIsOneSampleAndNoRate()
    {
        TwoSamples();
        string output = await Cli().OutputAsync("status", "--interval", "0");
        Assert.Single(Control.Requests);
        Assert.DoesNotContain("bit/s", output);
        Assert.Contains("17     frames dropped  receiver_full", output);
    }

    [Fact]
    public async Task AnEmptySwitchSaysWhatToDo()
    {
        Control.Samples.Enqueue(new SwitchStatus());
        string output = await Cli().OutputAsync("status", "--interval", "0");
        Assert.Contains("interguest port add", output);
        Assert.Contains("interguest link add", output);
        Assert.Contains("No frames dropped, no faults.", output);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("x")]
    [InlineData("1e9")]
    [InlineData("NaN")]
    [InlineData("3601")]
    public async Task OtherIntervalsAreUsageErrors(string text)
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Usage, await run.RunAsync("status", "--interval", text));
        Assert.StartsWith($"interguest: --interval: '{text}' is not", run.Error.ToString());
    }

    [Fact]
    public async Task JsonAndAnIntervalExcludeEachOther()
    {
        Assert.Equal(ExitCodes.Usage, await Cli().RunAsync("status", "--interval", "1", "--json"));
        Assert.Empty(Control.Requests);
    }

    private void TwoSamples()
    {
        Control.Samples.Enqueue(Samples.Status(uptime: 5000));
        Control.Samples.Enqueue(Samples.Status(uptime: 5000.5, moreBytes: 75_000_000, moreFrames: 41_500));
    }
}
