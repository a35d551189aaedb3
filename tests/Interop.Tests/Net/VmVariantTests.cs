using InterGuest.Interop.Tests.Harness;

namespace InterGuest.Interop.Tests.Net;

/// <summary>Other kinds of device that QEMU can make, each in a pair of VMs of its own.</summary>
[Collection("machine")]
public sealed class VmVariantTests
{
    private const string NoOffloads =
        "csum=off,guest_csum=off,gso=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off";

    [VmFact]
    public Task Without_mergeable_buffers() => CheckAsync(new VmPairOptions { Device = "mrg_rxbuf=off" });

    [VmFact]
    public Task Without_offloads_mergeable_buffers_event_index_and_indirect_descriptors() =>
        CheckAsync(new VmPairOptions { Device = NoOffloads + ",mrg_rxbuf=off,event_idx=off,indirect_desc=off" });

    [VmFact]
    public Task Legacy_devices_with_10_byte_headers() =>
        CheckAsync(new VmPairOptions { Device = "disable-modern=on,disable-legacy=off,mrg_rxbuf=off" });

    [VmFact]
    public Task A_packed_ring_on_one_end() => CheckPackedAsync(new VmPairOptions { BobsDevice = "packed=on" });

    [VmFact]
    public Task Packed_rings_without_event_index_and_indirect_descriptors() =>
        CheckPackedAsync(new VmPairOptions { Device = "packed=on,event_idx=off,indirect_desc=off" });

    [VmFact]
    public async Task Four_queue_pairs()
    {
        await using var pair = await VmPair.BootAsync(new VmPairOptions { Queues = 4 });
        Assert.Equal(4u, (await pair.Switch.PortAsync("alice")).RunningQueuePairs);
        await Traffic.TcpAsync(pair.Alice, "-P 8");
        await Traffic.TcpAsync(pair.Bob, "-P 8");
        await Traffic.StreamAsync(pair, pair.Alice, 16);
        await pair.Alice.ExecAsync("ethtool -L $(nic) combined 1");
        await Command.EventuallyAsync(async () => (await pair.Switch.PortAsync("alice")).RunningQueuePairs == 1, "alice runs one queue pair");
        await pair.ReachesAsync(pair.Bob);
        await Traffic.StreamAsync(pair, pair.Bob, 16);
    }

    [VmFact]
    public async Task QEMU_listens_and_the_switch_connects()
    {
        await using var pair = await VmPair.BootAsync(new VmPairOptions { Mode = "connect" });
        await Traffic.PingAllSizesAsync(pair, pair.Alice);
        await Traffic.StreamAsync(pair, pair.Bob, 8);
        await pair.Switch.KillAsync();
        await pair.Switch.StartAsync();
        await pair.Switch.LinkIsUpAsync("cable");
        await pair.ReachesAsync(pair.Alice);
    }

    [VmFact]
    public async Task Memory_that_is_not_shared_is_said_to_be_so()
    {
        await using var process = await SwitchProcess.StartNewAsync();
        await Repository.BuildGuestAsync();
        string socket = await process.CliAsync("port", "add", "alice");
        await using var vm = new Vm("alice", process.Directory);
        await vm.StartAsync(
            ["-m", "256M", "-chardev", $"socket,id=c,path={socket},reconnect=1", "-netdev", "vhost-user,id=n,chardev=c", "-device", "virtio-net-pci,netdev=n,vectors=0,romfile="]);
        await vm.WaitAsync();
        await Command.EventuallyAsync(
            async () => (await process.PortAsync("alice")).Fault.Contains("share=on", StringComparison.Ordinal),
            "the port says that memory is not shared");
        Assert.Contains("share=on", await process.CliAsync("port", "show", "alice"), StringComparison.Ordinal);
    }

    private static Task CheckPackedAsync(VmPairOptions options) => CheckAsync(
        options,
        async process => Assert.Contains("VIRTIO_F_RING_PACKED", (await process.PortAsync("bob")).AcceptedFeatures));

    private static async Task CheckAsync(VmPairOptions options, Func<SwitchProcess, Task>? more = null)
    {
        await using var pair = await VmPair.BootAsync(options);
        await Traffic.PingAllSizesAsync(pair, pair.Alice);
        await Traffic.PingAllSizesAsync(pair, pair.Bob);
        await Traffic.TcpAsync(pair.Alice);
        await Traffic.StreamAsync(pair, pair.Alice, 16);
        await Traffic.StreamAsync(pair, pair.Bob, 16);
        Assert.Empty((await pair.Switch.PortAsync("alice")).Counters.Faults);
        Assert.Empty((await pair.Switch.PortAsync("bob")).Counters.Faults);
        await (more?.Invoke(pair.Switch) ?? Task.CompletedTask);
    }
}
