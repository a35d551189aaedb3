using System.Globalization;
using System.Text.Json;

namespace InterGuest.Interop.Tests.Harness;

/// <summary>A real VM, by the project's own script.</summary>
public sealed class Vm(string name, string run, string qemu = "qemu-system-x86_64") : IAsyncDisposable
{
    private static readonly TimeSpan BootTimeout = TimeSpan.FromSeconds(180);
    private static readonly string Script = Repository.Script("deploy/guest/vm.sh");

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>Which QEMU it runs in.</summary>
    public string Qemu => qemu;

    /// <summary>Below artifacts: what it boots.</summary>
    public string Guest { get; init; } = "guest";

    /// <summary>Starts QEMU with these arguments.</summary>
    public Task StartAsync(IEnumerable<string> arguments, int cpus = 1, string memory = "256M") => StartAsync(
        ["--guest", Repository.Script($"artifacts/{Guest}"), "--cpus", Number(cpus), "--memory", memory], arguments);

    /// <summary>Starts QEMU, which boots from a disk among these arguments.</summary>
    public Task StartFromDiskAsync(IEnumerable<string> arguments) => StartAsync(["--no-kernel"], arguments);

    /// <summary>How VMs run here: kvm or tcg.</summary>
    public static async Task<string> AcceleratorAsync() => (await Command.MustAsync(Script, ["accel"], TimeSpan.FromMinutes(2))).Trim();

    /// <summary>Waits until the guest takes commands.</summary>
    public Task WaitAsync() => Command.MustAsync(Script, ["wait", name, "--run", run, "--timeout", Number((int)BootTimeout.TotalSeconds)], BootTimeout + TimeSpan.FromSeconds(20));

    /// <summary>Runs a command in the guest, which must succeed.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> ExecAsync(string command, int seconds = 60)
    {
        var result = await TryExecAsync(command, seconds);
        Assert.True(result.ExitCode == 0, $"{name}: {command}: exit status {result.ExitCode}\n{result.Output}\n{result.Error}");
        return result.Output;
    }

    /// <summary>Runs a command in the guest.</summary>
    public Task<CommandResult> TryExecAsync(string command, int seconds = 60) =>
        Command.RunAsync(Script, ["exec", name, "--run", run, "--timeout", Number(seconds), "--", command], TimeSpan.FromSeconds(seconds + 30));

    /// <summary>The reset button; then <see cref="WaitAsync"/>.</summary>
    public Task ResetAsync() => Command.MustAsync(Script, ["reset", name, "--run", run]);

    /// <summary>One QMP command.</summary>
    /// <returns>QEMU's answer.</returns>
    public async Task<JsonElement> QmpAsync(string command)
    {
        string answer = await Command.MustAsync(Script, ["qmp", name, "--run", run, command]);
        return JsonDocument.Parse(answer).RootElement;
    }

    /// <summary>SIGKILL to QEMU.</summary>
    public Task KillAsync() => Command.MustAsync(Script, ["kill", name, "--run", run]);

    /// <summary>What QEMU printed.</summary>
    public string Errors() => File.Exists(Path.Combine(run, name + ".err")) ? File.ReadAllText(Path.Combine(run, name + ".err")) : "";

    public async ValueTask DisposeAsync() => await Command.RunAsync(Script, ["kill", name, "--run", run]);

    private Task<string> StartAsync(string[] options, IEnumerable<string> arguments) =>
        // Longer than the script waits for QEMU itself: it then shows what QEMU said.
        Command.MustAsync(Script, ["start", name, "--run", run, "--qemu", qemu, .. options, "--", .. arguments], TimeSpan.FromSeconds(100));

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
