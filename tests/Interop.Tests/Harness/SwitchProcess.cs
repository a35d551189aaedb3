using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Grpc.Net.Client;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Harness;

/// <summary>The real daemon in a directory of its own, spoken to with the real CLI and over gRPC.</summary>
public sealed class SwitchProcess : IAsyncDisposable
{
    private readonly List<string> _log = [];
    private Process? _process;
    private GrpcChannel? _channel;

    /// <summary>A short path: sockets' paths have 107 bytes at most.</summary>
    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("ig-").FullName;

    /// <summary>Where the control plane is.</summary>
    public string Endpoint => $"unix:{ControlSocket}";

    /// <summary>The process.</summary>
    public Process Process => _process!;

    /// <summary>What it printed.</summary>
    public string Log
    {
        get
        {
            lock (_log)
                return string.Join('\n', _log);
        }
    }

    private string[] Options { get; init; } = [];

    private string ControlSocket => Path.Combine(Directory, "control.sock");

    /// <summary>Starts a switch and waits until it is ready.</summary>
    /// <param name="options">Beside those that say where its things are.</param>
    public static async Task<SwitchProcess> StartNewAsync(params string[] options)
    {
        var process = new SwitchProcess { Options = options };
        await process.StartAsync();
        return process;
    }

    /// <summary>Starts the daemon, anew after <see cref="KillAsync"/>.</summary>
    public async Task StartAsync()
    {
        await Repository.BuildAsync();
        var ready = new TaskCompletionSource();
        _process = new Process
        {
            StartInfo = new ProcessStartInfo(
                Repository.Program("interguest-switch"),
                ["--control", Endpoint, "--socket-dir", Path.Combine(Directory, "p"), "--state-dir", Path.Combine(Directory, "state"), .. Options])
            { RedirectStandardOutput = true, RedirectStandardError = true },
            EnableRaisingEvents = true,
        };
        void Take(string? line)
        {
            if (line == null)
                return;
            lock (_log)
                _log.Add(line);
            if (line.Contains("is ready", StringComparison.Ordinal))
                ready.TrySetResult();
        }
        _process.OutputDataReceived += (_, e) => Take(e.Data);
        _process.ErrorDataReceived += (_, e) => Take(e.Data);
        _process.Exited += (_, _) => ready.TrySetException(new InvalidOperationException($"the switch ended: {Log}"));
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await ready.Task.WaitAsync(Command.DefaultTimeout);
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        Process.Kill();
        await Process.WaitForExitAsync();
        Process.Dispose();
        _channel?.Dispose();
        _channel = null;
    }

    /// <summary>Runs <c>interguest</c>, which must succeed.</summary>
    public Task<string> CliAsync(params string[] arguments) =>
        Command.MustAsync(Repository.Program("interguest"), arguments, environment: Environment());

    /// <summary>Runs <c>interguest</c>.</summary>
    public Task<CommandResult> TryCliAsync(params string[] arguments) =>
        Command.RunAsync(Repository.Program("interguest"), arguments, environment: Environment());

    /// <summary>The arguments that the CLI gives for a port's guest.</summary>
    public async Task<string[]> QemuArgumentsAsync(string port, string memory = "256M", string qemu = "qemu-system-x86_64")
    {
        string json = await CliAsync("qemu", port, "--memory", memory, "--accel", await Vm.AcceleratorAsync(), "--qemu", qemu, "--json");
        return [.. JsonDocument.Parse(json).RootElement.GetProperty("arguments").EnumerateArray().Select(a => a.GetString()!)];
    }

    /// <summary>The environment in which the CLI finds this switch.</summary>
    public Dictionary<string, string> Environment() => new() { ["INTERGUEST_ENDPOINT"] = Endpoint };

    /// <summary>A gRPC client.</summary>
    public Control.ControlClient Client()
    {
        _channel ??= GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                ConnectCallback = async (_, cancel) =>
                {
                    var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(ControlSocket), cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            },
        });
        return new Control.ControlClient(_channel);
    }

    /// <summary>A port as it is.</summary>
    public async Task<Port> PortAsync(string name) => await Client().GetPortAsync(new GetPortRequest { Name = name });

    /// <summary>A link as it is.</summary>
    public async Task<Link> LinkAsync(string name) => await Client().GetLinkAsync(new GetLinkRequest { Name = name });

    /// <summary>Waits until a port is in a state.</summary>
    public Task PortBecomesAsync(string name, PortState state) =>
        Command.EventuallyAsync(async () => (await PortAsync(name)).State == state, $"port {name} is {state}");

    /// <summary>Waits until a link is up.</summary>
    public Task LinkIsUpAsync(string name) =>
        Command.EventuallyAsync(async () => (await LinkAsync(name)).State == LinkState.Up, $"link {name} is up");

    /// <summary>Processor time it has used, in seconds.</summary>
    public double ProcessorSeconds()
    {
        Process.Refresh();
        return Process.TotalProcessorTime.TotalSeconds;
    }

    public async ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        if (_process is { HasExited: false })
            await KillAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>Ends the daemon as a service manager does.</summary>
    /// <returns>Its exit status.</returns>
    public async Task<int> TerminateAsync()
    {
        await Command.MustAsync("sh", ["-c", $"kill -TERM {Process.Id}"]);
        await Process.WaitForExitAsync().WaitAsync(Command.DefaultTimeout);
        _channel?.Dispose();
        _channel = null;
        return Process.ExitCode;
    }
}
