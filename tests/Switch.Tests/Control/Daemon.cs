using System.Diagnostics;
using Grpc.Net.Client;
using Client = InterGuest.Protos.V1.Control.ControlClient;

namespace InterGuest.Switch.Tests.Control;

/// <summary>A daemon of its own, ended with the test.</summary>
internal sealed class Daemon : IDisposable
{
    /// <summary>A directory's mode that lets nobody but root write.</summary>
    public const UnixFileMode ReadOnly = UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;
    private readonly GrpcChannel _channel;

    private Daemon(Process process, string controlSocket)
    {
        (_process, ControlSocket) = (process, controlSocket);
        (_output, _error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        Exit = process.WaitForExitAsync();
        _channel = RunningApplication.Connect(controlSocket);
        Client = new Client(_channel);
    }

    public string ControlSocket { get; }

    public Client Client { get; }

    public Task Exit { get; }

    public static async Task<Daemon> StartAsync(TemporaryDirectory directory, bool unprivileged = false)
    {
        var daemon = Launch(directory, unprivileged: unprivileged);
        try
        {
            await RunningApplication.AnsweringAsync(daemon.Client, daemon.Exit);
            return daemon;
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }

    /// <summary>Starts it, and does not wait.</summary>
    /// <param name="directory">Where all that is its own goes.</param>
    /// <param name="options">In place of its control socket.</param>
    /// <param name="state">Its state directory.</param>
    /// <param name="within">A command that runs it.</param>
    /// <param name="unprivileged">Bound by file modes even if the tests run as root, who then has no capabilities.</param>
    public static Daemon Launch(TemporaryDirectory directory, string? options = null, string state = "state", bool unprivileged = false, string[]? within = null)
    {
        string control = directory.At("control.sock");
        var (program, arguments) = CommandLine(directory, options ?? $"--control unix:{control}", state);
        if (unprivileged)
        {
            Directory.CreateDirectory(directory.At(state), ReadOnly);
            if (Environment.IsPrivilegedProcess)
                (program, arguments) = ("setpriv", ["--bounding-set=-all", "--inh-caps=-all", program, .. arguments]);
        }
        if (within != null)
            (program, arguments) = (within[0], [.. within[1..], program, .. arguments]);
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory.Root };
        return new Daemon(Process.Start(start)!, control);
    }

    /// <summary>The program and its arguments.</summary>
    public static (string Program, string[] Arguments) CommandLine(TemporaryDirectory directory, string options, string state = "state")
    {
        // The copy beside the tests lacks what the web framework brings, so it runs as the tests do.
        string beside = AppContext.BaseDirectory;
        string[] arguments =
        [
            "exec", "--runtimeconfig", beside + "InterGuest.Switch.Tests.runtimeconfig.json", "--depsfile", beside + "InterGuest.Switch.Tests.deps.json",
            beside + "interguest-switch.dll", "--socket-dir", directory.At("ports"), "--state-dir", directory.At(state), .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        ];
        if (!options.Contains("--loops", StringComparison.Ordinal))
            arguments = [.. arguments, "--loops", "1"];
        return ("dotnet", arguments);
    }

    /// <summary>From now on it gets no descriptor of this number or a higher one.</summary>
    public async Task LimitDescriptorsAsync(int limit)
    {
        using var prlimit = Process.Start("prlimit", ["--pid", $"{_process.Id}", $"--nofile={limit}"]);
        await prlimit.WaitForExitAsync();
        Assert.Equal(0, prlimit.ExitCode);
    }

    /// <summary>The fields of its /proc/PID/status.</summary>
    public Dictionary<string, string> Status() => FieldsOf($"/proc/{_process.Id}/status");

    /// <summary>The same of its threads of these names.</summary>
    public IEnumerable<Dictionary<string, string>> StatusOfThreads(params string[] names) =>
        Threads.Named($"/proc/{_process.Id}", names).Select(t => FieldsOf($"{t}/status"));

    /// <summary>CPU time of one of its threads.</summary>
    public TimeSpan CpuTimeOf(string thread) => Threads.CpuTime($"/proc/{_process.Id}", thread);

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("sh", ["-c", $"kill -{signal} {_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for its end.</summary>
    public async Task<(int ExitCode, string Output, string Error)> EndAsync()
    {
        await Wait.ForAsync(Exit, "the daemon ends");
        return (_process.ExitCode, await _output, await _error);
    }

    /// <summary>How many TCP sockets it listens on.</summary>
    public int ListeningTcpSockets()
    {
        // Column 4 is the state, 0A to listen; column 10 the inode, as in the links of /proc/PID/fd.
        string net = $"/proc/{_process.Id}/net";
        var listening = File.ReadLines($"{net}/tcp").Concat(File.ReadLines($"{net}/tcp6"))
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(columns => columns[3] == "0A") // not in the heads of the tables
            .Select(columns => $"socket:[{columns[9]}]")
            .ToHashSet();
        return Directory.GetFileSystemEntries($"/proc/{_process.Id}/fd")
            .Count(fd => new FileInfo(fd).LinkTarget is { } target && listening.Contains(target));
    }

    private static Dictionary<string, string> FieldsOf(string file) =>
        File.ReadLines(file).ToDictionary(l => l.Split(':')[0], l => l[(l.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim());

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _channel.Dispose();
    }
}
