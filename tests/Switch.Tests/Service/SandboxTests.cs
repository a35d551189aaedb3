using InterGuest.Switch.Tests.Control;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.Service;

/// <summary>
/// The switch does all its work under the restrictions of its systemd unit: sandbox.py reads them there and applies them.
/// </summary>
public sealed class SandboxTests : IDisposable
{
    private static readonly string Unit = SourceTree.At("deploy/systemd/interguest-switch.service");

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SandboxFact]
    public async Task UnderItsUnitsRestrictionsItDoesItsWork()
    {
        using var daemon = Daemon.Launch(_directory, within: [ManagedDaemon.Python, SourceTree.At("tests/Switch.Tests/Service/sandbox.py"), Unit, _directory.Root]);
        await RunningApplication.AnsweringAsync(daemon.Client, daemon.Exit);
        var status = daemon.Status();
        Assert.Equal(("1", "2"), (status["NoNewPrivs"], status["Seccomp"]));
        Assert.Equal(("0000000000000000", "0000000000000000"), (status["CapBnd"], status["CapEff"]));

        string own = status["Gid"].Split('\t')[0];
        await daemon.Client.CreatePortAsync(new() { Name = "a", SocketGroup = own, SocketMode = "0666" });
        await daemon.Client.CreatePortAsync(new() { Name = "b", QueuePairs = 4 });
        await daemon.Client.CreatePortAsync(new() { Name = "c", Mode = Protos.V1.SocketMode.Connect, SocketPath = _directory.At("vm.sock") });
        await daemon.Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } });
        using (var a = TestGuest.Run(_directory.At("ports/a.sock")))
        using (var b = TestGuest.Run(_directory.At("ports/b.sock")))
        {
            Exchange.BothWays(a, b);
            // A front-end that is cut off is watched by its process.
            await daemon.Client.SetPortAsync(new() { Name = "a", Carrier = Protos.V1.Carrier.Follow });
            await daemon.Client.SetLinkUpAsync(new() { Name = "l", Up = false });
            Wait.Until(() => daemon.Client.GetPort(new() { Name = "a" }).State == Protos.V1.PortState.Waiting, "port a is cut off");
        }
        Assert.True(File.Exists(_directory.At("state/state.json")));

        await daemon.SignalAsync("TERM");
        var (exitCode, output, error) = await daemon.EndAsync();
        Assert.Equal((0, ""), (exitCode, error));
        Assert.DoesNotContain("fail:", output, StringComparison.Ordinal);
        Assert.DoesNotContain("warn:", output, StringComparison.Ordinal);
    }

    /// <summary>That the restrictions are there, and the test above proves something.</summary>
    [SandboxFact]
    public async Task UnderItsUnitsRestrictionsItCannotListenOnTcpNorWriteElsewhere()
    {
        string[] within = [ManagedDaemon.Python, SourceTree.At("tests/Switch.Tests/Service/sandbox.py"), Unit, _directory.Root];
        using (var daemon = Daemon.Launch(_directory, "--control http://127.0.0.1:1 --plain-http", within: within))
            Assert.NotEqual(0, (await daemon.EndAsync()).ExitCode);
        using var elsewhere = new TemporaryDirectory();
        using var other = Daemon.Launch(_directory, $"--control unix:{elsewhere.At("control.sock")}", within: within);
        Assert.NotEqual(0, (await other.EndAsync()).ExitCode);
        Assert.False(File.Exists(elsewhere.At("control.sock")));
    }
}

/// <summary>A test that needs namespaces, seccomp and systemd's lists of system calls.</summary>
public sealed class SandboxFactAttribute : FactAttribute
{
    public SandboxFactAttribute() => Skip =
        !Environment.IsPrivilegedProcess ? "only root can make a sandbox without systemd"
        : !File.Exists(ManagedDaemon.Python) ? "python3 is not installed: deploy/setup.sh tests"
        : !File.Exists("/usr/bin/systemd-analyze") ? "systemd-analyze, which lists the system calls of a unit, is not installed"
        : !Directory.EnumerateFiles("/usr/lib", "libseccomp.so.2", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 }).Any() ? "libseccomp2 is not installed"
        : null;
}
