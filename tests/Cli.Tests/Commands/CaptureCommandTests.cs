using Google.Protobuf;
using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Commands;

public class CaptureCommandTests : SwitchTest
{
    private static readonly CapturedFrame Frame = new()
    {
        Time = 1_250_000_000, Direction = 1, Length = 60, DropReason = "no_buffers", Data = ByteString.CopyFrom(new byte[20]),
    };

    public CaptureCommandTests()
    {
        Batches = [new() { Start = new() { Ports = { "a", "b" }, SnapLength = 100 } }, new() { Frames = { Frame, Frame }, Shed = 3 }];
    }

    private CaptureBatch[] Batches { get; }

    [Fact]
    public async Task EachFrameIsALine()
    {
        Control.Captured = Batches;
        CliRun run = Cli();
        Assert.Equal(0, await run.RunAsync("capture", "l", "--snaplen", "100", "--count", "2", "--filter", "arp"));
        string line = "00:00:01.250000  b > a  60 bytes  00:00:00:00:00:00 > 00:00:00:00:00:00 ethertype 0x0000  dropped: no_buffers\n";
        Assert.Equal(line + line, run.Out.ToString());
        Assert.Equal("2 frames captured, 3 left out because this reader was too slow\n", run.Error.ToString());
        Assert.Equal(new CaptureRequest { Link = "l", SnapLength = 100, Count = 2, Filter = "arp" }, Control.OnlyRequest<CaptureRequest>());
    }

    [Fact]
    public async Task JsonIsAMessageALine()
    {
        Control.Captured = Batches;
        string[] lines = (await Cli().OutputAsync("capture", "l", "--json")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Equal(Frame, JsonParser.Default.Parse<CapturedFrame>(lines[0]));
    }

    [Fact]
    public async Task PcapngGoesToStandardOutput()
    {
        Control.Captured = Batches;
        CliRun run = Cli();
        Assert.Equal(0, await run.RunAsync("capture", "l", "-w", "-"));
        Assert.Equal([0x0a, 0x0d, 0x0d, 0x0a], run.Binary.ToArray()[..4]);
        Assert.Equal("", run.Out.ToString());
    }

    [Fact]
    public async Task PcapngGoesToAFile()
    {
        Control.Captured = Batches;
        using var directory = new TemporaryDirectory();
        Assert.Equal(0, await Cli().RunAsync("capture", "l", "-w", directory.Path("x.pcapng")));
        CliRun other = Cli();
        await other.RunAsync("capture", "l", "-w", "-");
        Assert.Equal(other.Binary.ToArray(), await File.ReadAllBytesAsync(directory.Path("x.pcapng")));
    }

    [Theory]
    [InlineData("--snaplen 0", "--snaplen: '0' is not")]
    [InlineData("--count -1", "--count: '-1' is not")]
    [InlineData("-w x --json", "--json is for lines")]
    public async Task WhatMakesNoSenseIsAUsageError(string options, string why)
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Usage, await run.RunAsync(["capture", "l", .. options.Split(' ')]));
        Assert.Contains(why, run.Error.ToString());
    }

    [Fact]
    public async Task ATerminalGetsNoPcapng()
    {
        CliRun run = new() { IsTerminal = true, Variables = { ["INTERGUEST_ENDPOINT"] = Switch.Endpoint } };
        Assert.Equal(ExitCodes.Usage, await run.RunAsync("capture", "l", "-w", "-"));
        Assert.Contains("tcpdump -r -", run.Error.ToString());
    }

    [Fact]
    public async Task AFileThatCannotBeWrittenIsNamed()
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("capture", "l", "-w", "/proc/no/such"));
        Assert.Contains("/proc/no/such", run.Error.ToString());
    }
}
