using System.Globalization;

namespace InterGuest.Interop.Tests.Harness;

/// <summary>Traffic between the two VMs of a pair, checked at both ends.</summary>
internal static class Traffic
{
    /// <summary>Frame sizes around every limit: headers, cache lines, pages, the MTU.</summary>
    private const string PingSizes = "0 1 2 17 18 19 46 56 63 64 65 127 128 129 500 511 512 513 1000 1400 1471 1472";

    /// <summary>Pings with every size; ping itself compares the payload.</summary>
    public static Task PingAllSizesAsync(VmPair pair, Vm from, string sizes = PingSizes) => from.ExecAsync(
        $"for s in {sizes}; do o=$(ping -M do -p a5c3 -c 2 -i 0.01 -W 5 -s $s {VmPair.PeerAddress(from)} 2>&1) || {{ echo \"size $s: $o\"; exit 1; }}; "
        + "case $o in *wrong*) echo \"$o\"; exit 1;; esac; done", 120);

    /// <summary>TCP throughput in Mbit/s, as received.</summary>
    public static async Task<double> TcpAsync(Vm from, string options = "") => double.Parse(
        await from.ExecAsync($"iperf_mbit {VmPair.PeerAddress(from)} -t 2 {options}", 90), CultureInfo.InvariantCulture);

    /// <summary>UDP at a rate that both guests can take: every datagram must come, but for what a receiver's socket lost.</summary>
    public static Task<string> UdpAsync(Vm from, string rate, int length) =>
        from.ExecAsync($"iperf3 -c {VmPair.PeerAddress(from)} -u -b {rate} -l {length} -t 2 -f m", 60);

    /// <summary>A stream of random bytes; the SHA-256 at both ends must be the same.</summary>
    /// <param name="pair">The VMs.</param>
    /// <param name="from">Which of them sends.</param>
    /// <param name="megabytes">How much.</param>
    /// <param name="address">Of the other one; null: the one that it has from the start.</param>
    public static async Task StreamAsync(VmPair pair, Vm from, int megabytes, string? address = null)
    {
        address ??= VmPair.PeerAddress(from);
        var (listen, connect) = address.Contains(':', StringComparison.Ordinal) ? ("TCP6", $"TCP6:[{address}]") : ("TCP4", $"TCP4:{address}");
        var receiver = pair.Other(from).ExecAsync($"socat -u {listen}-LISTEN:7000,reuseaddr - | sha256sum", 180);
        string sent = await from.ExecAsync(
            $"dd if=/dev/urandom of=/tmp/s bs=1M count={megabytes} 2>/dev/null; sha256sum </tmp/s; n=0; "
            + $"until socat -u OPEN:/tmp/s {connect}:7000 2>/dev/null; do n=$((n+1)); [ $n -lt 50 ] || exit 1; usleep 200000; done; rm -f /tmp/s", 180);
        Assert.Matches("^[0-9a-f]{64} ", sent);
        Assert.Equal(sent, await receiver);
    }
}
