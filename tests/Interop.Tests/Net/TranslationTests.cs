using System.Globalization;
using InterGuest.Interop.Tests.Harness;
using Xunit.Abstractions;

namespace InterGuest.Interop.Tests.Net;

/// <summary>
/// Receivers whose VMM offers them not all receive offloads, and a sender with all of them, with checksums alone, and with none
/// (ethtool -K): Linux verifies each checksum and counts those that are wrong, and tcpdump sees each frame. Alice boots once,
/// bob once for each kind of receiver.
/// </summary>
[Collection("machine")]
public sealed class TranslationTests(BootedPair booted, ITestOutputHelper output) : IClassFixture<BootedPair>
{
    private const string NoSegments = "guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off";
    private const string Nothing = "guest_csum=off," + NoSegments;

    private VmPair Pair => booted.Pair;

    [VmTheory]
    [InlineData("no offloads", Nothing, true)]
    [InlineData("no offloads, no mergeable buffers", Nothing + ",mrg_rxbuf=off", true)]
    [InlineData("no offloads, a legacy device with a header of 10 bytes", Nothing + ",mrg_rxbuf=off,disable-modern=on,disable-legacy=off", true)]
    [InlineData("checksums, no segments", NoSegments, false)]
    [InlineData("checksums, no segments, no mergeable buffers", NoSegments + ",mrg_rxbuf=off", false)]
    [InlineData("segments of TCPv4 alone", "guest_tso6=off,guest_ecn=off,guest_ufo=off", false, "ip6")]
    [InlineData("segments of TCPv6 alone", "guest_tso4=off,guest_ecn=off,guest_ufo=off", false, "(ip or vlan)")]
    public async Task A_receiver_that_takes(string what, string device, bool checksums, string segmented = "greater 0")
    {
        await Pair.RestartAsync(Pair.Bob, device);
        foreach (var vm in new[] { Pair.Alice, Pair.Bob })
            await vm.ExecAsync(
                "n=$(nic); sysctl -qw net.ipv6.conf.$n.disable_ipv6=0; "
                + $"ip -6 addr replace fd00::{(vm == Pair.Alice ? 1 : 2)}/64 dev $n nodad; "
                + $"modprobe 8021q; ip link show v5 >/dev/null 2>&1 || ip link add link $n name v5 type vlan id 5; ip addr replace 10.5.0.{(vm == Pair.Alice ? 1 : 2)}/24 dev v5; ip link set v5 up");
        Assert.Contains("tcp-segmentation-offload: on", await Pair.Alice.ExecAsync("ethtool -k $(nic)"), StringComparison.Ordinal);
        // Without GRO the frames are seen as they came.
        var capture = Pair.Bob.ExecAsync("ethtool -K $(nic) gro off; tcpdump -Z root -i $(nic) -Q in -w /tmp/c.pcap 2>/tmp/c.err & p=$!; while [ ! -e /tmp/enough ]; do usleep 100000; done; kill -INT $p; wait $p; rm /tmp/enough; ethtool -K $(nic) gro on", 300);
        await Pair.Bob.ExecAsync("wait_for 20 grep -q listening /tmp/c.err");
        var before = (await Pair.Switch.LinkAsync("cable")).Directions[0].Translation;
        await StreamsAsync(4);
        var done = (await Pair.Switch.LinkAsync("cable")).Directions[0].Translation;
        Assert.True(done.Segments - before.Segments > 2 * (done.Frames - before.Frames), "most frames were segmented");
        Assert.Equal(checksums, done.BytesSummed - before.BytesSummed > 10_000_000);
        await AssertSenderWithLessAsync(checksums);
        await Pair.Bob.ExecAsync("touch /tmp/enough");
        await capture;

        await Traffic.StreamAsync(Pair, Pair.Bob, 4);
        double rate = await Traffic.TcpAsync(Pair.Alice);
        var link = await Pair.Switch.LinkAsync("cable");
        done = link.Directions[0].Translation;
        output.WriteLine($"{what}: {rate.ToString(CultureInfo.InvariantCulture)} Mbit/s; {done.Frames - before.Frames} frames into {done.Segments - before.Segments}, "
            + $"{done.BytesSummed - before.BytesSummed} bytes added up, {(done.Time.ToTimeSpan() - before.Time.ToTimeSpan()).TotalMilliseconds} ms");
        await AssertSoundAsync(checksums, segmented);
        Assert.Contains("alice may send what bob refused", Assert.Single(link.Warnings), StringComparison.Ordinal);
        Assert.DoesNotContain(link.Directions[0].Drops, d => d.Reason is "bad_offload" or "above_mtu" or "too_long_for_receiver");
    }

    /// <summary>The sender's kernel segments by itself, then completes checksums, too: the switch has less and less to do.</summary>
    private async Task AssertSenderWithLessAsync(bool checksums)
    {
        await Pair.Alice.ExecAsync("ethtool -K $(nic) tso off gso off");
        var before = (await Pair.Switch.LinkAsync("cable")).Directions[0].Translation;
        await StreamsAsync(1);
        var segmented = (await Pair.Switch.LinkAsync("cable")).Directions[0].Translation;
        Assert.Equal(checksums, segmented.Frames - before.Frames > 2000);
        Assert.Equal(segmented.Frames - before.Frames, segmented.Segments - before.Segments);

        await Pair.Alice.ExecAsync("ethtool -K $(nic) tx off");
        Assert.Contains("tx-checksumming: off", await Pair.Alice.ExecAsync("ethtool -k $(nic)"), StringComparison.Ordinal);
        segmented = (await Pair.Switch.LinkAsync("cable")).Directions[0].Translation;
        await StreamsAsync(1);
        Assert.Equal(segmented.Frames, (await Pair.Switch.LinkAsync("cable")).Directions[0].Translation.Frames);
        await Pair.Alice.ExecAsync("ethtool -K $(nic) tx on; ethtool -K $(nic) sg on; ethtool -K $(nic) gso on tso on");
    }

    /// <summary>Over IPv4, IPv6, and IPv4 in a VLAN.</summary>
    private async Task StreamsAsync(int megabytes)
    {
        foreach (string address in new[] { "10.0.0.2", "fd00::2", "10.5.0.2" })
            await Traffic.StreamAsync(Pair, Pair.Alice, megabytes, address);
    }

    /// <summary>No wrong checksum, by the receiver's kernel and by tcpdump, and no frame above the MTU of those that were segmented.</summary>
    private async Task AssertSoundAsync(bool checksums, string segmented)
    {
        string errors = await Pair.Bob.ExecAsync(
            "awk '/^(Tcp|Udp|Ip): [A-Z]/ {for (i = 2; i <= NF; i++) name[i] = $i} /^(Tcp|Udp|Ip): [0-9]/ {for (i = 2; i <= NF; i++) if (name[i] ~ /InCsumErrors|InHdrErrors|InErrs/) printf \"%s%s=%s \", $1, name[i], $i}' /proc/net/snmp");
        Assert.Matches(@"^(\S+=0 )+$", errors);
        Assert.Contains("Tcp:InCsumErrors=0", errors, StringComparison.Ordinal);
        // A receiver that takes incomplete checksums gets them so.
        if (checksums)
        {
            Assert.Equal("0", await Pair.Bob.ExecAsync("tcpdump -Z root -nvv -r /tmp/c.pcap 2>/dev/null | grep -cE 'incorrect|bad .*cksum' || true", 120));
            Assert.NotEqual("0", await Pair.Bob.ExecAsync("tcpdump -Z root -nvv -r /tmp/c.pcap 2>/dev/null | grep -cE '\\(correct\\)|sum ok' || true", 120));
        }
        Assert.Equal("0", await Pair.Bob.ExecAsync($"tcpdump -Z root -nr /tmp/c.pcap 'greater 1519 and {segmented}' 2>/dev/null | wc -l"));
        int full = int.Parse(await Pair.Bob.ExecAsync("tcpdump -Z root -nr /tmp/c.pcap 'greater 1514' 2>/dev/null | wc -l"), CultureInfo.InvariantCulture);
        Assert.True(full > 1000, $"{full} full frames");
    }
}
