using System.Diagnostics;
using System.Net.Sockets;
using Grpc.Core;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.Control;

/// <summary>The kernel says who calls (unix(7), SO_PEERCRED): another user, on the real socket of the real daemon.</summary>
public sealed class GuardTests : IDisposable
{
    private const int Nobody = 65534;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [RootTheory]
    [InlineData("--operator 65534", true, true)]
    [InlineData("--operator %65534", true, true)]
    [InlineData("--operator %65533", true, true)] // a supplementary group
    [InlineData("--reader 65534", true, false)]
    [InlineData("--operator 65532 --reader *", true, false)]
    [InlineData("--operator 65532", false, false)]
    public async Task AnotherUserMayDoWhatTheRulesSay(string rules, bool look, bool change)
    {
        OpenToAll();
        using var daemon = Daemon.Launch(_directory, $"--control unix:{_directory.At("control.sock")} --control-mode 666 {rules}");
        await RunningApplication.AnsweringAsync(daemon.Client, daemon.Exit); // root may
        using var proxy = ProxyOf(Nobody);
        using var channel = RunningApplication.Connect(_directory.At("proxy.sock"));
        var client = new Protos.V1.Control.ControlClient(channel);
        try
        {
            await AssertAllowed(look, () => client.GetStatusAsync(new()).ResponseAsync);
            await AssertAllowed(change, () => client.CreatePortAsync(new() { Name = "a" }).ResponseAsync);
            using var watch = client.Watch(new() { ReplayCurrent = true });
            await AssertAllowed(look, () => look ? watch.ResponseHeadersAsync : watch.ResponseStream.MoveNext(default));
        }
        finally
        {
            proxy.Kill();
            await proxy.WaitForExitAsync();
        }
    }

    /// <summary>The socket's own mode comes first.</summary>
    [RootFact]
    public async Task ASocketThatIsNotForThemIsNotOpenedByOthers()
    {
        OpenToAll();
        using var daemon = await Daemon.StartAsync(_directory);
        var start = new ProcessStartInfo("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "socat", "-u", "/dev/null", $"UNIX-CONNECT:{daemon.ControlSocket}"])
        {
            RedirectStandardError = true,
        };
        using var socat = Process.Start(start)!;
        string error = await socat.StandardError.ReadToEndAsync();
        await socat.WaitForExitAsync();
        Assert.Contains("Permission denied", error, StringComparison.Ordinal);
    }

    private static async Task AssertAllowed(bool allowed, Func<Task> call)
    {
        var error = await Record.ExceptionAsync(() => call().WaitAsync(TestGuest.Patience));
        if (allowed)
            Assert.Null(error);
        else
            Assert.Equal(StatusCode.PermissionDenied, Assert.IsType<RpcException>(error).StatusCode);
    }

    private void OpenToAll() => File.SetUnixFileMode(
        _directory.Root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);

    /// <summary>Hands our connections on as another user.</summary>
    private Process ProxyOf(int user)
    {
        string path = _directory.At("proxy.sock");
        var start = new ProcessStartInfo("setpriv",
            [$"--reuid={user}", $"--regid={user}", "--groups=65533", "socat", $"UNIX-LISTEN:{path},fork", $"UNIX-CONNECT:{_directory.At("control.sock")}"]);
        // It makes its socket in this directory.
        File.SetUnixFileMode(_directory.Root, File.GetUnixFileMode(_directory.Root) | UnixFileMode.OtherWrite);
        var proxy = Process.Start(start)!;
        Wait.Until(() => Listens(path), "socat listens");
        return proxy;
    }

    /// <summary>Whether a connection is taken: the socket's file is there a moment before.</summary>
    private static bool Listens(string path)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

/// <summary>A test that acts as another user.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = RootTheoryAttribute.Missing;
}

/// <summary>Tests that act as another user.</summary>
public sealed class RootTheoryAttribute : TheoryAttribute
{
    internal static readonly string? Missing =
        !Environment.IsPrivilegedProcess ? "only root can act as another user"
        : !File.Exists("/usr/bin/socat") ? "socat is not installed: deploy/setup.sh tests"
        : null;

    public RootTheoryAttribute() => Skip = Missing;
}
