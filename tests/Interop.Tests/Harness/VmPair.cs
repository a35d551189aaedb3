using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Harness;

/// <summary>How two VMs are to be joined.</summary>
public sealed record VmPairOptions
{
    /// <summary>More properties of virtio-net-pci, e.g. <c>mrg_rxbuf=off</c>.</summary>
    public string Device { get; init; } = "";

    /// <summary>The same for bob alone.</summary>
    public string BobsDevice { get; init; } = "";

    /// <summary>The QEMU that bob runs in.</summary>
    public string BobsQemu { get; init; } = "qemu-system-x86_64";

    /// <summary>Queue pairs, and processors.</summary>
    public int Queues { get; init; } = 1;

    /// <summary>Who listens: listen or connect.</summary>
    public string Mode { get; init; } = "listen";

    /// <summary>Whether the switch may plug the devices out and in.</summary>
    public bool CanReplug { get; init; }
}

/// <summary>Two VMs, a switch, and a link between them: alice is 10.0.0.1, bob 10.0.0.2.</summary>
public sealed class VmPair : IAsyncDisposable
{
    private readonly VmPairOptions _options;

    private VmPair(SwitchProcess process, VmPairOptions options)
    {
        (Switch, _options) = (process, options);
        Alice = new Vm("alice", process.Directory);
        Bob = new Vm("bob", process.Directory, options.BobsQemu);
    }

    public SwitchProcess Switch { get; }

    public Vm Alice { get; }

    public Vm Bob { get; }

    /// <summary>The address of the other one.</summary>
    public static string PeerAddress(Vm vm) => vm.Name == "alice" ? "10.0.0.2" : "10.0.0.1";

    public Vm Other(Vm vm) => vm == Alice ? Bob : Alice;

    /// <summary>Boots both and sets up their addresses.</summary>
    public static async Task<VmPair> BootAsync(VmPairOptions? options = null)
    {
        await Repository.BuildGuestAsync();
        var pair = new VmPair(await SwitchProcess.StartNewAsync(), options ?? new VmPairOptions());
        try
        {
            foreach (var vm in new[] { pair.Alice, pair.Bob })
                await pair.Switch.CliAsync(
                    ["port", "add", vm.Name, "--mode", pair._options.Mode, "--queues", $"{pair._options.Queues}", .. pair._options.CanReplug ? (string[])["--qmp", pair.Qmp(vm)] : []]);
            await pair.Switch.CliAsync("link", "add", "cable", "alice", "bob");
            await pair.StartAsync(pair.Alice);
            await pair.StartAsync(pair.Bob);
            await pair.ReadyAsync(pair.Alice);
            await pair.ReadyAsync(pair.Bob);
            await pair.Switch.LinkIsUpAsync("cable");
            return pair;
        }
        catch
        {
            await pair.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends a VM, and boots it again with another kind of device.</summary>
    /// <param name="vm">One of the two.</param>
    /// <param name="device">More properties of virtio-net-pci.</param>
    public async Task RestartAsync(Vm vm, string device)
    {
        await vm.KillAsync();
        await Switch.PortBecomesAsync(vm.Name, PortState.Listening);
        await StartAsync(vm, device);
        await ReadyAsync(vm);
        await Switch.LinkIsUpAsync("cable");
    }

    /// <summary>Starts a VM with the arguments that the CLI gives for its port.</summary>
    public Task StartAsync(Vm vm) => StartAsync(vm, _options.Device);

    /// <summary>The arguments that the CLI gives for a VM's port.</summary>
    /// <param name="vm">One of the two.</param>
    /// <param name="more">More properties of virtio-net-pci.</param>
    public Task<string[]> ArgumentsAsync(Vm vm, string more) => ArgumentsAsync(Switch, vm, more, vm == Bob ? _options.BobsDevice : "");

    /// <summary>The arguments that the CLI gives for the port of a VM's name.</summary>
    /// <param name="process">The switch.</param>
    /// <param name="vm">The VM.</param>
    /// <param name="properties">More of virtio-net-pci; empty ones are left out.</param>
    public static async Task<string[]> ArgumentsAsync(SwitchProcess process, Vm vm, params string[] properties)
    {
        string[] arguments = await process.QemuArgumentsAsync(vm.Name, qemu: vm.Qemu);
        int device = Array.FindIndex(arguments, a => a.StartsWith("virtio-net-pci", StringComparison.Ordinal));
        arguments[device] = string.Join(',', properties.Where(p => p != "").Prepend(arguments[device]));
        return arguments;
    }

    private async Task StartAsync(Vm vm, string more) => await vm.StartAsync(await ArgumentsAsync(vm, more), _options.Queues);

    private string Qmp(Vm vm) => Path.Combine(Switch.Directory, vm.Name + ".switch.qmp");

    /// <summary>Waits for a VM's boot and gives it its address.</summary>
    public async Task ReadyAsync(Vm vm)
    {
        await vm.WaitAsync();
        if (_options.Queues > 1)
            await vm.ExecAsync($"ethtool -L $(nic) combined {_options.Queues}");
        await vm.ExecAsync($"net_up $(nic) {PeerAddress(Other(vm))}/24; iperf_server");
    }

    /// <summary>Waits until a ping gets through.</summary>
    public async Task ReachesAsync(Vm from)
    {
        string command = $"n=60; until ping -q -c 1 -W 1 {PeerAddress(from)} >/dev/null; do n=$((n-1)); [ $n -gt 0 ] || exit 1; done";
        var result = await from.TryExecAsync(command, 90);
        Assert.True(result.ExitCode == 0, $"{from.Name} does not reach {Other(from).Name}: {result.Output} {result.Error}\n{await Switch.CliAsync("status")}\n{Switch.Log}");
    }

    public async ValueTask DisposeAsync()
    {
        await Alice.DisposeAsync();
        await Bob.DisposeAsync();
        await Switch.DisposeAsync();
    }
}
