using System.Diagnostics;
using InterGuest.Switch.Tests.Control;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.Service;

/// <summary>The daemon under a service manager (manager.py), as under systemd.</summary>
internal sealed class ManagedDaemon : IDisposable
{
    public const string Python = "/usr/bin/python3";

    private readonly Process _manager;

    private ManagedDaemon(Process manager) => _manager = manager;

    /// <summary>Starts it; its own arguments are those of <see cref="Daemon"/>.</summary>
    /// <param name="directory">Where all that is its own goes.</param>
    /// <param name="options">After its control socket.</param>
    /// <param name="activated">Whether the control socket is made for it.</param>
    public static ManagedDaemon Start(TemporaryDirectory directory, string options, bool activated = false)
    {
        string control = directory.At("control.sock");
        var (program, arguments) = Daemon.CommandLine(directory, $"--control unix:{control} {options}");
        var start = new ProcessStartInfo(
            Python, [SourceTree.At("tests/Switch.Tests/Service/manager.py"), directory.At("notify.sock"), activated ? control : "-", program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return new ManagedDaemon(Process.Start(start)!);
    }

    /// <summary>Waits until it says something that contains a text.</summary>
    /// <returns>All that it said, up to that.</returns>
    public async Task<IReadOnlyList<string>> HearAsync(string text)
    {
        var heard = new List<string>();
        while (heard.Count == 0 || !heard[^1].Contains(text, StringComparison.Ordinal))
            heard.Add(await _manager.StandardOutput.ReadLineAsync().WaitAsync(TestGuest.Patience)
                ?? throw new InvalidOperationException($"it ended, and did not say {text}, but {string.Join("; ", heard)}"));
        return heard;
    }

    /// <summary>TERM or KILL, and started again; QUIT.</summary>
    public Task TellAsync(string word) => _manager.StandardInput.WriteLineAsync(word);

    public void Dispose()
    {
        _manager.StandardInput.Close(); // it ends the daemon, and itself
        if (!_manager.WaitForExit(TestGuest.Patience))
            _manager.Kill(entireProcessTree: true);
        _manager.Dispose();
    }
}
