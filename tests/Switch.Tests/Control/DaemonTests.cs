using System.Net.Sockets;
using Grpc.Core;
using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Control;

/// <summary>The daemon as a process: its sockets, its signals, its exit codes.</summary>
public sealed class DaemonTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task SigtermEndsItWithZeroAndLeavesNoSockets()
    {
        using var daemon = await Daemon.StartAsync(_directory);
        Assert.Equal("rw-rw----", Mode(daemon.ControlSocket));
        await daemon.Client.CreatePortAsync(new() { Name = "a" });
        await daemon.Client.CreatePortAsync(new() { Name = "b" });
        await daemon.Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } });
        string first = _directory.At("ports/a.sock"), second = _directory.At("ports/b.sock");
        Assert.Equal("rw-rw----", Mode(first));
        using var a = TestGuest.Run(first);
        using var b = TestGuest.Run(second);
        Exchange.BothWays(a, b);
        using var watch = daemon.Client.Watch(new());
        await watch.ResponseHeadersAsync;

        await daemon.SignalAsync("TERM");
        var (exitCode, output, error) = await daemon.EndAsync();
        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains("is ready; control plane on unix:", output, StringComparison.Ordinal);
        Assert.DoesNotContain("fail:", output, StringComparison.Ordinal);
        Assert.Equal([false, false, false], new[] { daemon.ControlSocket, first, second }.Select(File.Exists));
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => watch.ResponseStream.MoveNext(default))).StatusCode);
        Assert.Throws<IOException>(() => a.FrontEnd.Get(RequestCode.GetFeatures)); // its cable is pulled
    }

    [Fact]
    public async Task KilledAndStartedAgainItReplacesItsSocketsAndGuestsComeBack()
    {
        using (var daemon = await Daemon.StartAsync(_directory))
        {
            await daemon.Client.CreatePortAsync(new() { Name = "a" });
            await daemon.Client.CreatePortAsync(new() { Name = "b" });
            await daemon.Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } });
            await daemon.SignalAsync("KILL");
            Assert.Equal(137, (await daemon.EndAsync()).ExitCode);
        }
        Assert.True(File.Exists(_directory.At("control.sock")));
        using (var daemon = await Daemon.StartAsync(_directory))
        {
            using var a = TestGuest.Run(_directory.At("ports/a.sock"));
            using var b = TestGuest.Run(_directory.At("ports/b.sock"));
            Exchange.BothWays(a, b);
            Assert.Equal(LinkState.Up, (await daemon.Client.GetLinkAsync(new() { Name = "l" })).State);
        }
    }

    [Fact]
    public async Task ASecondOneOnTheSameControlSocketIsRefused()
    {
        using var daemon = await Daemon.StartAsync(_directory);
        using var second = Daemon.Launch(_directory, $"--control unix:{daemon.ControlSocket}", "other");
        var (exitCode, _, error) = await second.EndAsync();
        Assert.Equal(1, exitCode);
        Assert.Equal(
            $"interguest-switch: the control socket {daemon.ControlSocket} is in use: a switch runs already, or the file is something else. Give another place with --control unix:PATH\n",
            error);
        await daemon.Client.GetStatusAsync(new()); // the first one lives
    }

    [Fact]
    public async Task ADamagedStateIsOneLineOfError()
    {
        Directory.CreateDirectory(_directory.At("state"));
        await File.WriteAllTextAsync(_directory.At("state/state.json"), "{ oh");
        using var daemon = Daemon.Launch(_directory);
        var (exitCode, output, error) = await daemon.EndAsync();
        Assert.Equal(1, exitCode);
        Assert.StartsWith($"interguest-switch: {_directory.At("state/state.json")} is damaged", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output + error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task ThreadsThatMoveFramesRunOnTheCpusGiven()
    {
        int cpu = KernelThread.AllowedCpus()[^1];
        using var daemon = Daemon.Launch(_directory, $"--control unix:{_directory.At("control.sock")} --loops 2 --cpus {cpu}");
        await RunningApplication.AnsweringAsync(daemon.Client, daemon.Exit);
        var loops = (await daemon.Client.GetStatusAsync(new())).Switch.Loops;
        Assert.Equal([(uint)cpu, (uint)cpu], loops.Select(l => l.Cpu));
        Assert.Equal([$"{cpu}", $"{cpu}"], daemon.StatusOfThreads("loop-0", "loop-1").Select(s => s["Cpus_allowed_list"]));
    }

    [Fact]
    public async Task ATopologyIsAppliedAtTheStart()
    {
        string file = _directory.At("lan.yaml"), options = $"--control unix:{_directory.At("control.sock")} --topology {file}";
        await File.WriteAllTextAsync(file, "ports:\n  a:\n  b:\nlinks:\n  l: {ports: [a, b]}\n");
        for (int life = 0; life < 2; life++)
        {
            using var daemon = Daemon.Launch(_directory, options);
            await RunningApplication.AnsweringAsync(daemon.Client, daemon.Exit);
            var status = await daemon.Client.GetStatusAsync(new());
            Assert.Equal((2, 1), (status.Ports.Count, status.Links.Count));
            await daemon.SignalAsync("TERM");
            Assert.Contains($"applied: {(life == 0 ? 3 : 0)} changes", (await daemon.EndAsync()).Output, StringComparison.Ordinal);
        }
        await File.WriteAllTextAsync(file, "ports:\n  a:\n  b:\n    queue_pairs: 1000\n");
        using var refused = Daemon.Launch(_directory, options);
        var (exitCode, _, error) = await refused.EndAsync();
        Assert.Equal((2, $"interguest-switch: {file}:4: port b: queue_pairs: 1000 is not between 1 and 128\n"), (exitCode, error));
    }

    [Theory]
    [InlineData("--control tcp:x", 2, "neither unix:PATH nor https://")]
    [InlineData("--cpus 0,8000", 2, "--cpus: this process may not use CPU 8000. It may use ")]
    [InlineData("--cpus 3-2", 2, "--cpus: '3-2' is no list of CPUs such as 2,3 or 4-7")]
    [InlineData("--cpus all", 2, "--cpus: 'all' is no list of CPUs such as 2,3 or 4-7")]
    [InlineData("--control http://example.org:80", 2, "HOST an address or localhost")]
    [InlineData("--control http://127.0.0.1:80", 2, "or say --plain-http")]
    [InlineData("--control http://192.0.2.1:80 --plain-http", 2, "only loopback addresses")]
    [InlineData("--control https://127.0.0.1:80", 2, "--tls-cert, --tls-key and --tls-client-ca, all of them")]
    [InlineData("--control https://127.0.0.1:80 --tls-cert a --tls-key b", 2, "--tls-cert, --tls-key and --tls-client-ca, all of them")]
    [InlineData("--control https://127.0.0.1:80 --tls-cert /no/a --tls-key /no/b --tls-client-ca /no/c", 1, "--tls-cert and --tls-key: /no/a")]
    [InlineData("--control-mode 999", 2, "--control-mode: '999' is not a file mode")]
    [InlineData("--control-group no-such-group", 2, "--control-group: there is no group 'no-such-group'")]
    [InlineData("--loops 0", 1, "between 1 and 256")]
    [InlineData("--control unix:/proc/self/x/control.sock", 1, "/proc/self/x")]
    public async Task BadOptionsAreExplained(string options, int exitCode, string text)
    {
        using var daemon = Daemon.Launch(_directory, options);
        var (code, output, error) = await daemon.EndAsync();
        Assert.Equal(exitCode, code);
        Assert.Contains(text, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output + error, StringComparison.Ordinal);
    }

    /// <summary>Where a socket may not be made at all: as a directory without the right to write is for an ordinary user.</summary>
    [Fact]
    public async Task AControlSocketThatCannotBeMadeIsOneLineOfError()
    {
        using var daemon = Daemon.Launch(_directory, "--control unix:/proc/control.sock");
        var (exitCode, output, error) = await daemon.EndAsync();
        Assert.Equal(1, exitCode);
        Assert.Contains("unix:/proc/control.sock", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output + error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ItListensOnTcpOnlyIfAskedTo()
    {
        using (var daemon = await Daemon.StartAsync(_directory))
            Assert.Equal(0, daemon.ListeningTcpSockets());
        int port = FreePort();
        using var other = new TemporaryDirectory();
        using var asked = Daemon.Launch(other, $"--control http://127.0.0.1:{port} --plain-http");
        using var channel = Grpc.Net.Client.GrpcChannel.ForAddress($"http://127.0.0.1:{port}");
        var client = new Protos.V1.Control.ControlClient(channel);
        await RunningApplication.AnsweringAsync(client, asked.Exit);
        Assert.Equal(1, asked.ListeningTcpSockets());
        Assert.False(File.Exists(other.At("control.sock")));
    }

    /// <summary>Cut a file that was shared, and its pages are gone: touching them is a SIGBUS (notes/peers.md, section 4, check 19).</summary>
    [Fact]
    public async Task AGuestThatCutsItsMemoryFileDoesNotEndTheSwitch()
    {
        using var daemon = await Daemon.StartAsync(_directory);
        await daemon.Client.CreatePortAsync(new() { Name = "a" });
        using var guest = new TestGuest();
        guest.Connect(_directory.At("ports/a.sock"));
        string path = _directory.At("memory");
        using (var file = new FileStream(path, FileMode.CreateNew))
            file.SetLength(1 << 20);
        using (var shared = Ports.StrangeFile.Open(path))
        {
            guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
            guest.FrontEnd.SetMemoryTable((new RegionLayout(0, 1 << 20, 0x10000, 0), shared));
        }
        using (var file = new FileStream(path, FileMode.Open))
            file.SetLength(0);
        Record.Exception(() =>
        {
            guest.FrontEnd.SetVring(RequestCode.SetVringNum, 1, 64);
            guest.FrontEnd.SetVringAddress(1, new(0x10000, 0x20000, 0x30000));
            guest.FrontEnd.Set(RequestCode.SetVringKick, 1, guest.Transmit().Kick.Descriptor);
        });
        await daemon.Client.GetStatusAsync(new());
    }

    /// <summary>Without descriptors nobody new can be served; those who are there are, and no CPU is burnt.</summary>
    [Fact]
    public async Task WithoutFreeDescriptorsItSleepsAndServesOn()
    {
        using var daemon = await Daemon.StartAsync(_directory);
        foreach (string name in new[] { "a", "b", "c" })
            await daemon.Client.CreatePortAsync(new() { Name = name });
        await daemon.Client.CreateLinkAsync(
            new() { Name = "l", Ports = { "a", "b" }, Hold = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMilliseconds(600)) });
        using var a = TestGuest.Run(_directory.At("ports/a.sock"));
        using var b = TestGuest.Run(_directory.At("ports/b.sock"), new() { ReceiveBuffers = 0 });
        await daemon.LimitDescriptorsAsync(10);
        using var one = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        one.Connect(new UnixDomainSocketEndPoint(_directory.At("ports/c.sock")));
        Assert.Equal(3, (await daemon.Client.ListPortsAsync(new())).Ports.Count);
        TimeSpan before = daemon.CpuTimeOf("control");
        Exchange.ToNowhere(a); // takes as long as the link holds a frame
        Assert.InRange((daemon.CpuTimeOf("control") - before).TotalMilliseconds, 0, 60);
    }

    [Fact]
    public async Task ADirectoryThatItMayNotWriteToIsNamed()
    {
        using var daemon = await Daemon.StartAsync(_directory, unprivileged: true);
        string closed = _directory.At("closed");
        Directory.CreateDirectory(closed, Daemon.ReadOnly);
        var error = await Assert.ThrowsAsync<RpcException>(
            () => daemon.Client.CreatePortAsync(new() { Name = "a", SocketPath = closed + "/a.sock" }).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Contains($"may not write to the directory {closed} (Permission denied)", error.Status.Detail, StringComparison.Ordinal);
        await daemon.SignalAsync("TERM");
        var (exitCode, output, _) = await daemon.EndAsync();
        Assert.Equal(0, exitCode);
        // Its state directory is closed to it, too: said in the log, and no reason to end.
        Assert.Contains("will not survive a restart", output, StringComparison.Ordinal);
    }

    private static string Mode(string path)
    {
        var mode = File.GetUnixFileMode(path);
        return string.Concat("rwxrwxrwx".Select((c, i) => ((int)mode >> (8 - i) & 1) == 1 ? c : '-'));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
