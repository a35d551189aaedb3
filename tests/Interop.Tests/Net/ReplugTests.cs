using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Net;

/// <summary>
/// Devices of running VMs are plugged out and in again with the features that both ends have, over QMP: a sender with all
/// offloads, and a receiver with none.
/// </summary>
[Collection("machine")]
public sealed class ReplugTests
{
    private const string NoReceiveOffloads = "guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off";

    // VIRTIO_NET_F_CSUM, HOST_TSO4, HOST_TSO6, as the guest's kernel numbers them.
    private const string AllSending = @"^0 .*\b11 12\b", AnySending = @"\b(0|11|12)\b";

    /// <summary>Of a guest under emulation, on a busy machine, that lets go of a device and takes it again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>A command that prints the MAC and the PCI address.</summary>
    private const string Identity = "n=$(nic); cat /sys/class/net/$n/address; basename $(dirname $(dirname $(dirname $(realpath /sys/class/net/$n))))";

    [VmFact]
    public async Task A_device_returns_with_fewer_features_the_same_address_and_MAC()
    {
        await using var pair = await VmPair.BootAsync(new VmPairOptions { BobsDevice = NoReceiveOffloads, CanReplug = true });
        string identity = await pair.Alice.ExecAsync(Identity);
        Assert.Matches(AllSending, await FeaturesAsync(pair.Alice));
        await Traffic.StreamAsync(pair, pair.Alice, 4);
        var link = await pair.Switch.LinkAsync("cable");
        Assert.Single(link.Warnings);
        Assert.True(link.Directions[0].Translation.Frames > 0);

        await AssertGivesUpAsync(pair);
        await ReadyAsync(pair);
        Assert.Matches(AllSending, await FeaturesAsync(pair.Alice));

        var done = await ReplugAsync(pair);
        Assert.True(done.ExitCode == 0, $"{done.Output}\n{done.Error}");
        string[] steps = done.Output.Split('\n');
        Assert.StartsWith("port alice: re-plug without VIRTIO_NET_F_CSUM", steps[0], StringComparison.Ordinal); // what comes then can be too quick to be seen
        Assert.Equal(
            "port alice: the guest runs without VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN",
            steps[^1].Replace(", VIRTIO_NET_F_HOST_UFO", "", StringComparison.Ordinal));
        await ReadyAsync(pair);
        Assert.Equal(identity, await pair.Alice.ExecAsync(Identity));
        Assert.DoesNotMatch(AnySending, await FeaturesAsync(pair.Alice));
        Assert.Contains("tcp-segmentation-offload: off", await pair.Alice.ExecAsync("ethtool -k $(nic)"), StringComparison.Ordinal);
        ulong before = (await pair.Switch.LinkAsync("cable")).Directions[0].Translation.Frames;
        await Traffic.StreamAsync(pair, pair.Alice, 8);
        await Traffic.StreamAsync(pair, pair.Bob, 8);
        link = await pair.Switch.LinkAsync("cable");
        Assert.Equal(before, link.Directions[0].Translation.Frames);
        Assert.Empty(link.Warnings);
        Assert.Empty((await pair.Switch.PortAsync("alice")).Counters.Faults);
        Assert.Contains("nothing to re-plug", (await ReplugAsync(pair)).Error, StringComparison.Ordinal);
    }

    [VmFact]
    public async Task The_policy_does_it_by_itself()
    {
        await using var pair = await VmPair.BootAsync(new VmPairOptions { BobsDevice = NoReceiveOffloads, CanReplug = true });
        await pair.Switch.CliAsync("link", "remove", "cable");
        await pair.Switch.CliAsync("link", "add", "cable", "alice", "bob", "--policy", "replug");
        await Command.EventuallyAsync(async () => (await pair.Switch.LinkAsync("cable")).Replugs is [{ State: ReplugState.Done, Port: "alice" }], "alice's device is plugged out and in", Patience);
        Assert.Contains("Re-plug of alice", await pair.Switch.CliAsync("link", "show", "cable"), StringComparison.Ordinal);
        await ReadyAsync(pair);
        Assert.DoesNotMatch(AnySending, await FeaturesAsync(pair.Alice));
        await Traffic.StreamAsync(pair, pair.Alice, 4);
    }

    private static Task<CommandResult> ReplugAsync(VmPair pair) =>
        Command.RunAsync(Repository.Program("interguest"), ["link", "replug", "cable"], Patience, pair.Switch.Environment());

    /// <summary>A guest that does nothing does not let go. It keeps its device; and if it lets go later, gets it back as it was.</summary>
    private static async Task AssertGivesUpAsync(VmPair pair)
    {
        await pair.Alice.QmpAsync("""{"execute":"stop"}""");
        var result = await ReplugAsync(pair);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("the guest did not let go of device alice-nic in 30 s: given up", result.Error, StringComparison.Ordinal);
        await pair.Alice.QmpAsync("""{"execute":"cont"}""");
        await Command.EventuallyAsync(
            async () => (await pair.Switch.LinkAsync("cable")).Replugs is [{ Text: "device alice-nic is plugged in as it was" }], "the device is put back as it was", Patience);
    }

    /// <summary>The guest has lost what it had configured on the device.</summary>
    private static async Task ReadyAsync(VmPair pair)
    {
        await pair.ReadyAsync(pair.Alice);
        await pair.Switch.LinkIsUpAsync("cable");
        await pair.ReachesAsync(pair.Alice);
    }

    private static Task<string> FeaturesAsync(Vm vm) => vm.ExecAsync("features $(nic)");
}
