using System.Diagnostics;

namespace InterGuest.Interop.Tests.Harness;

/// <summary>The real <c>interguest-agent</c>: a guest that is a process.</summary>
internal sealed class AgentProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    private AgentProcess(Process process)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync();
        _error = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Starts a role.</summary>
    public static async Task<AgentProcess> StartAsync(params string[] arguments)
    {
        await Repository.BuildAsync();
        return new AgentProcess(Process.Start(new ProcessStartInfo(Repository.Program("interguest-agent"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!);
    }

    /// <summary>Ends it as Ctrl-C does; it must succeed.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> InterruptAsync()
    {
        await Command.MustAsync("kill", ["-INT", $"{_process.Id}"]);
        return await EndAsync();
    }

    /// <summary>Waits for its end; it must succeed.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Command.DefaultTimeout);
        Assert.True(_process.ExitCode == 0, $"exit status {_process.ExitCode}\n{await _output}\n{await _error}");
        return await _output;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
