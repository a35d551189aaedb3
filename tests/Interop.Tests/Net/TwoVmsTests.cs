using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;
using Xunit.Abstractions;

namespace InterGuest.Interop.Tests.Net;

/// <summary>Two unmodified Linux VMs on one link, booted once for all of these.</summary>
[Collection("machine")]
public sealed class TwoVmsTests(BootedPair booted, ITestOutputHelper output) : IClassFixture<BootedPair>
{
    private VmPair Pair => booted.Pair;

    [VmFact]
    public async Task Ping_goes_both_ways_with_every_size()
    {
        await Traffic.PingAllSizesAsync(Pair, Pair.Alice);
        await Traffic.PingAllSizesAsync(Pair, Pair.Bob);
    }

    [VmFact]
    public async Task Tcp_and_udp_flow_both_ways_and_are_counted()
    {
        var before = await Pair.Switch.LinkAsync("cable");
        output.WriteLine($"TCP alice to bob {await Traffic.TcpAsync(Pair.Alice)} Mbit/s, bob to alice {await Traffic.TcpAsync(Pair.Bob)} Mbit/s");
        output.WriteLine(await Traffic.UdpAsync(Pair.Alice, "5M", 1400));
        await Traffic.UdpAsync(Pair.Bob, "5M", 200);
        var after = await Pair.Switch.LinkAsync("cable");
        for (int i = 0; i < 2; i++)
        {
            Assert.True(after.Directions[i].Frames > before.Directions[i].Frames + 100);
            Assert.True(after.Directions[i].Bytes > before.Directions[i].Bytes + 1_000_000);
        }
        var alice = await Pair.Switch.PortAsync("alice");
        var bob = await Pair.Switch.PortAsync("bob");
        Assert.Equal(alice.Counters.TxFrames, bob.Counters.RxFrames);
        Assert.Equal(alice.Counters.TxBytes, bob.Counters.RxBytes);
        Assert.Empty(alice.Counters.Faults);
        Assert.Empty(bob.Counters.Faults);
    }

    [VmFact]
    public async Task A_stream_of_64_MiB_arrives_as_it_was_sent()
    {
        await Traffic.StreamAsync(Pair, Pair.Alice, 64);
        await Traffic.StreamAsync(Pair, Pair.Bob, 16);
    }

    [VmFact]
    public async Task Jumbo_frames_arrive()
    {
        foreach (var vm in new[] { Pair.Alice, Pair.Bob })
            await vm.ExecAsync("ip link set $(nic) mtu 9000");
        await Traffic.PingAllSizesAsync(Pair, Pair.Alice, "1473 4000 4096 8000 8971 8972");
        await Traffic.StreamAsync(Pair, Pair.Bob, 8);
        foreach (var vm in new[] { Pair.Alice, Pair.Bob })
            await vm.ExecAsync("ip link set $(nic) mtu 1500");
    }

    [VmFact]
    public async Task A_link_goes_down_and_up_100_times_under_traffic()
    {
        var flood = Pair.Alice.ExecAsync($"ping -q -f -i 0.002 -s 1400 -w 300 {VmPair.PeerAddress(Pair.Alice)} >/dev/null & p=$!; while [ ! -e /tmp/enough ]; do usleep 100000; done; kill $p; rm /tmp/enough", 280);
        var client = Pair.Switch.Client();
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(LinkState.Down, (await client.SetLinkUpAsync(new SetLinkUpRequest { Name = "cable", Up = false })).State);
            Assert.Equal(LinkState.Up, (await client.SetLinkUpAsync(new SetLinkUpRequest { Name = "cable", Up = true })).State);
        }
        // Down means down: the flood goes nowhere, and is counted.
        await Pair.Switch.CliAsync("link", "down", "cable");
        ulong Dropped(Link link) => link.Directions.SelectMany(d => d.Drops).Where(d => d.Reason == "link_down").Aggregate(0UL, (sum, d) => sum + d.Count);
        ulong before = Dropped(await Pair.Switch.LinkAsync("cable"));
        await Command.EventuallyAsync(async () => Dropped(await Pair.Switch.LinkAsync("cable")) > before + 10, "frames are dropped on a link that is down");
        await Pair.Switch.CliAsync("link", "up", "cable");
        await Pair.ReachesAsync(Pair.Bob);
        await Pair.Alice.ExecAsync("touch /tmp/enough");
        await flood;
    }

    [VmFact]
    public async Task A_link_is_removed_and_made_again_while_guests_run()
    {
        await Pair.Switch.CliAsync("link", "remove", "cable");
        Assert.NotEqual(0, (await Pair.Alice.TryExecAsync($"ping -c 1 -W 1 {VmPair.PeerAddress(Pair.Alice)}")).ExitCode);
        await Pair.Switch.CliAsync("link", "add", "cable", "bob", "alice");
        await Pair.ReachesAsync(Pair.Alice);
    }

    [VmFact]
    public async Task A_guest_reboots_and_its_driver_is_reloaded()
    {
        await Pair.Bob.ExecAsync("rmmod virtio_net");
        await Pair.Switch.PortBecomesAsync("bob", PortState.Stopped);
        Assert.Contains("port bob is stopped", (await Pair.Switch.LinkAsync("cable")).Reason, StringComparison.Ordinal);
        await Pair.Bob.ExecAsync("modprobe virtio_net");
        await Pair.ReadyAsync(Pair.Bob);
        await Pair.ReachesAsync(Pair.Alice);

        await Pair.Bob.ResetAsync();
        await Pair.ReadyAsync(Pair.Bob);
        await Pair.ReachesAsync(Pair.Alice);
    }

    [VmFact]
    public async Task A_VMM_killed_and_started_again_takes_its_port_back()
    {
        await Pair.Bob.KillAsync();
        await Pair.Switch.PortBecomesAsync("bob", PortState.Listening);
        await Pair.StartAsync(Pair.Bob);
        await Pair.ReadyAsync(Pair.Bob);
        await Pair.ReachesAsync(Pair.Alice);
    }

    [VmFact]
    public async Task A_switch_that_was_killed_comes_back_with_its_guests()
    {
        await Pair.Switch.KillAsync();
        await Pair.Switch.StartAsync();
        await Pair.Switch.LinkIsUpAsync("cable");
        await Pair.ReachesAsync(Pair.Alice);
        await Pair.ReachesAsync(Pair.Bob);
    }

    [VmFact]
    public async Task A_switch_with_quiet_guests_uses_no_processor()
    {
        await Pair.ReachesAsync(Pair.Alice);
        double before = Pair.Switch.ProcessorSeconds();
        // Nothing to wait for: time is what is measured.
        await Task.Delay(3000);
        Assert.InRange(Pair.Switch.ProcessorSeconds() - before, 0, 0.15);
    }
}
