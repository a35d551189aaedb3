using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Net;

/// <summary>One VM in this machine's QEMU, the other in that of Debian 13: front-ends of two ages on one link.</summary>
[Collection("machine")]
public sealed class TwoQemusTests
{
    [TwoQemusFact]
    public async Task Guests_of_two_QEMUs_talk_and_survive_resets_and_a_new_switch()
    {
        await using var pair = await VmPair.BootAsync(new VmPairOptions { BobsQemu = Repository.OtherQemu });
        await Traffic.PingAllSizesAsync(pair, pair.Alice);
        await Traffic.PingAllSizesAsync(pair, pair.Bob);
        await Traffic.StreamAsync(pair, pair.Alice, 8);
        await Traffic.StreamAsync(pair, pair.Bob, 8);

        // QEMU 10 sends RESET_DEVICE at each reset of the device.
        await pair.Bob.ExecAsync("rmmod virtio_net; modprobe virtio_net");
        await pair.ReadyAsync(pair.Bob);
        await pair.ReachesAsync(pair.Alice);
        await pair.Bob.ResetAsync();
        await pair.ReadyAsync(pair.Bob);
        await pair.ReachesAsync(pair.Alice);

        await pair.Switch.KillAsync();
        await pair.Switch.StartAsync();
        await pair.Switch.LinkIsUpAsync("cable");
        await pair.ReachesAsync(pair.Alice);
        await pair.ReachesAsync(pair.Bob);
        await AssertNoFaultsAsync(pair);
    }

    private static async Task AssertNoFaultsAsync(VmPair pair)
    {
        foreach (string name in new[] { "alice", "bob" })
        {
            var port = await pair.Switch.PortAsync(name);
            Assert.Equal((PortState.Running, ""), (port.State, port.Fault));
            Assert.Empty(port.Counters.Faults);
            Assert.Empty(port.Counters.MessageFaults);
        }
    }
}
