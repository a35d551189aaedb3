using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Net;

/// <summary>What Linux in a VM sees of the other end: its carrier.</summary>
[Collection("machine")]
public sealed class CarrierTests
{
    [VmFact]
    public async Task Alices_carrier_follows_the_link_and_bobs_VM()
    {
        await using var pair = await VmPair.BootAsync();
        await pair.Switch.CliAsync("port", "set", "alice", "--carrier", "follow");
        await CarrierBecomesAsync(pair.Alice, 1);
        await pair.ReachesAsync(pair.Alice);

        await pair.Switch.CliAsync("link", "down", "cable");
        await CarrierBecomesAsync(pair.Alice, 0);
        await CarrierBecomesAsync(pair.Bob, 1); // whose port keeps it
        await pair.Switch.CliAsync("link", "up", "cable");
        await CarrierBecomesAsync(pair.Alice, 1);
        await pair.ReachesAsync(pair.Alice);

        await pair.Bob.KillAsync();
        await CarrierBecomesAsync(pair.Alice, 0);
        await pair.StartAsync(pair.Bob);
        await pair.ReadyAsync(pair.Bob);
        await CarrierBecomesAsync(pair.Alice, 1);
        await pair.ReachesAsync(pair.Alice);
    }

    /// <summary>Its QEMU is cut off when it ends. The next one finds the socket, or it would not start.</summary>
    [VmFact]
    public async Task Without_bob_alice_is_started_anew_all_the_same()
    {
        await using var pair = await VmPair.BootAsync();
        await pair.Switch.CliAsync("port", "set", "alice", "--carrier", "follow");
        await pair.Bob.KillAsync();
        await CarrierBecomesAsync(pair.Alice, 0);
        await pair.Alice.KillAsync();
        await pair.Switch.PortBecomesAsync("alice", PortState.Listening);
        await pair.StartAsync(pair.Alice);
        await pair.ReadyAsync(pair.Alice);
        await CarrierBecomesAsync(pair.Alice, 0);
        await pair.StartAsync(pair.Bob);
        await pair.ReadyAsync(pair.Bob);
        await CarrierBecomesAsync(pair.Alice, 1);
        await pair.ReachesAsync(pair.Bob);
    }

    private static async Task CarrierBecomesAsync(Vm vm, int carrier) =>
        await vm.ExecAsync($"n=$(nic); for i in $(seq 300); do [ \"$(cat /sys/class/net/$n/carrier)\" = {carrier} ] && exit 0; usleep 200000; done; exit 1", 90);
}
