using InterGuest.Switch.Tests.Control;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.Service;

/// <summary>The daemon under a service manager: readiness, watchdog, sockets that outlive it (sd_notify(3), sd_listen_fds(3)).</summary>
public sealed class ServiceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [PythonFact]
    public async Task ItSaysWhenItIsReadyThatItLivesAndThatItEnds()
    {
        using var daemon = ManagedDaemon.Start(_directory, "");
        await daemon.HearAsync("READY=1 ");
        using var channel = RunningApplication.Connect(_directory.At("control.sock"));
        await new Protos.V1.Control.ControlClient(channel).GetStatusAsync(new()); // ready means it answers
        await daemon.HearAsync("WATCHDOG=1");
        await daemon.HearAsync("WATCHDOG=1");
        await daemon.TellAsync("QUIT");
        await daemon.HearAsync("STOPPING=1");
        Assert.Equal("ENDED 0", (await daemon.HearAsync("ENDED"))[^1]);
    }

    /// <summary>A front-end that connects while there is no switch waits in the backlog of a socket that is still there.</summary>
    [PythonTheory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task WhoConnectsWhileItIsRestartedWaitsAndIsServed(string signal)
    {
        string path = _directory.At("ports/a.sock");
        using var daemon = ManagedDaemon.Start(_directory, "--fd-store");
        await daemon.HearAsync("READY=1");
        using (var channel = RunningApplication.Connect(_directory.At("control.sock")))
        {
            var client = new Protos.V1.Control.ControlClient(channel);
            await client.CreatePortAsync(new() { Name = "a" });
            await client.CreatePortAsync(new() { Name = "gone" });
            await client.DeletePortAsync(new() { Name = "gone" });
        }
        await daemon.HearAsync("FDSTOREREMOVE=1 FDNAME=port.gone");
        long inode = Inode(path);
        await daemon.TellAsync(signal);
        await daemon.HearAsync("ENDED");
        // At any moment from now on, whether the next one is there or not.
        using var guest = new TestGuest();
        guest.Connect(path);
        await daemon.HearAsync("READY=1");
        Assert.NotEqual(0ul, guest.Offered);
        Assert.Equal(inode, Inode(path)); // the very same socket
        using (var channel = RunningApplication.Connect(_directory.At("control.sock")))
            Assert.Equal(["a"], (await new Protos.V1.Control.ControlClient(channel).ListPortsAsync(new())).Ports.Select(p => p.Name));
    }

    /// <summary>A kept socket whose file somebody removed is of no use: nobody finds it.</summary>
    [PythonFact]
    public async Task ASocketWhoseFileIsGoneIsMadeAgain()
    {
        string path = _directory.At("ports/a.sock");
        using var daemon = ManagedDaemon.Start(_directory, "--fd-store");
        await daemon.HearAsync("READY=1");
        using var channel = RunningApplication.Connect(_directory.At("control.sock"));
        await new Protos.V1.Control.ControlClient(channel).CreatePortAsync(new() { Name = "a" });
        await daemon.HearAsync("FDNAME=port.a");
        File.Delete(path);
        await daemon.TellAsync("TERM");
        await daemon.HearAsync("FDSTORE=1");
        await daemon.HearAsync("READY=1");
        using var guest = new TestGuest();
        guest.Connect(path);
    }

    [PythonFact]
    public async Task TheControlSocketMayBeMadeForIt()
    {
        using var daemon = ManagedDaemon.Start(_directory, "", activated: true);
        Wait.Until(() => File.Exists(_directory.At("control.sock")), "the manager makes it");
        using var channel = RunningApplication.Connect(_directory.At("control.sock")); // before it is ready: waits
        await new Protos.V1.Control.ControlClient(channel).GetStatusAsync(new());
        await daemon.HearAsync("READY=1");
        await daemon.TellAsync("TERM");
        await daemon.HearAsync("ENDED");
        using var again = RunningApplication.Connect(_directory.At("control.sock"));
        await new Protos.V1.Control.ControlClient(again).GetStatusAsync(new());
    }

    private static long Inode(string path)
    {
        using var stat = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%i", path]) { RedirectStandardOutput = true })!;
        string text = stat.StandardOutput.ReadToEnd();
        stat.WaitForExit();
        return long.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
    }
}

/// <summary>A test with Python's standard library.</summary>
public sealed class PythonFactAttribute : FactAttribute
{
    public PythonFactAttribute() => Skip = PythonTheoryAttribute.Missing;
}

/// <summary>Tests with Python's standard library.</summary>
public sealed class PythonTheoryAttribute : TheoryAttribute
{
    internal static readonly string? Missing = File.Exists(ManagedDaemon.Python) ? null : "python3 is not installed: deploy/setup.sh tests";

    public PythonTheoryAttribute() => Skip = Missing;
}
