using System.Globalization;
using InterGuest.Interop.Tests.Harness;
using Xunit.Abstractions;

namespace InterGuest.Interop.Tests.Net;

/// <summary>A VM's TCP under a port's rate: it has what it may, loses nothing by it, and the other direction is free.</summary>
[Collection("machine")]
public sealed class LimitTests(ITestOutputHelper output)
{
    [VmFact]
    public async Task Tcp_of_a_limited_port_has_its_rate()
    {
        const double rate = 8; // Mbit/s, which guests in software emulation can do many times over
        await using var pair = await VmPair.BootAsync();
        double free = await Traffic.TcpAsync(pair.Alice);
        await pair.Switch.CliAsync("port", "set", "alice", "--rate", "8M");
        double limited = await SixSecondsAsync(pair.Alice), other = await Traffic.TcpAsync(pair.Bob);
        output.WriteLine($"free {free} Mbit/s, limited to {rate}: {limited}, the other direction {other}");
        // What iperf counts is without headers; what is on its way when the time is over counts, too.
        Assert.InRange(limited, rate * 0.6, rate * 1.05);
        Assert.True(free > 2 * rate && other > 2 * rate, $"free {free}, other direction {other}");
        var port = await pair.Switch.PortAsync("alice");
        Assert.True(port.Counters.TimesLimited > 0);
        Assert.Empty(port.Counters.Drops);
        await pair.Switch.CliAsync("port", "set", "alice", "--rate", "0");
        Assert.True(await Traffic.TcpAsync(pair.Alice) > 2 * rate);
    }

    private static async Task<double> SixSecondsAsync(Vm from) => double.Parse(
        await from.ExecAsync($"iperf_mbit {VmPair.PeerAddress(from)} -t 6", 90), CultureInfo.InvariantCulture);
}
