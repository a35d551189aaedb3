using System.Net.Sockets;
using System.Text.Json;
using Grpc.Core;
using InterGuest.Cli.Tests.Fakes;

namespace InterGuest.Cli.Tests.Commands;

public class ErrorTests : SwitchTest
{
    [Theory]
    [InlineData(StatusCode.NotFound)]
    [InlineData(StatusCode.AlreadyExists)]
    [InlineData(StatusCode.FailedPrecondition)]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.Unavailable)]
    [InlineData(StatusCode.Internal)]
    public async Task WhatTheSwitchSaysIsPrintedAsItIs(StatusCode code)
    {
        Control.Failure = new RpcException(new Status(code, "there is no port 'x': add it first"));
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("port", "show", "x"));
        Assert.Equal("interguest: there is no port 'x': add it first\n", run.Error.ToString());
        Assert.Equal("", run.Out.ToString());
    }

    [Fact]
    public async Task WithJsonTheErrorIsJson()
    {
        Control.Failure = new RpcException(new Status(StatusCode.NotFound, "there is no port 'x'"));
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("port", "show", "x", "--json"));
        Assert.Equal(
            "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"there is no port 'x'\"}}\n", run.Error.ToString());
    }

    [Theory]
    [InlineData("port", "frob")]
    [InlineData("port", "add")]
    [InlineData("port", "list", "--frob")]
    [InlineData("port")]
    [InlineData]
    [InlineData("port", "add", "a", "--queues", "many")]
    [InlineData("port", "add", "a", "--mode", "both")]
    [InlineData("port", "add", "a", "--type", "floppy")]
    [InlineData("link", "add", "l", "a")]
    [InlineData("link", "add", "l", "a", "b", "c")]
    [InlineData("completion", "tcsh")]
    [InlineData("list", "--endpoint")]
    public async Task ALineThatMakesNoSenseIsTwoAndAsksNobody(params string[] arguments)
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Usage, await run.RunAsync(arguments));
        Assert.Matches("^interguest: .+\n  See 'interguest.* --help'.\n$", run.Error.ToString());
        Assert.Equal("", run.Out.ToString());
        Assert.Empty(Control.Requests);
    }

    [Fact]
    public async Task AUsageErrorWithJsonIsJson()
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Usage, await run.RunAsync("port", "--json", "frob"));
        using JsonDocument error = JsonDocument.Parse(run.Error.ToString());
        Assert.Equal("USAGE", error.RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task ASwitchThatDoesNotAnswerIsGivenUp()
    {
        Control.Silent = true;
        CliRun run = new()
        {
            CallDeadline = TimeSpan.FromMilliseconds(200),
            Variables = { ["INTERGUEST_ENDPOINT"] = Switch.Endpoint },
        };
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("port", "list"));
        Assert.StartsWith(
            $"interguest: the switch at {Switch.Endpoint} did not answer within 200 ms\n  ", run.Error.ToString());
    }

    [Fact]
    public async Task CtrlCIsQuiet()
    {
        Control.Silent = true;
        using var interrupt = new CancellationTokenSource();
        CliRun run = Cli();
        Task<int> running = run.RunAsync(["port", "list"], interrupt.Token);
        await Control.Asked;
        await interrupt.CancelAsync();
        Assert.Equal(130, await running);
        Assert.Equal("", run.Error.ToString());
        await Control.Cancelled.WaitAsync(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task WithoutASocketTheSwitchIsToBeStarted()
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("port", "list", "--endpoint", "unix:/nowhere/x.sock"));
        Assert.StartsWith(
            "interguest: cannot reach the switch at unix:/nowhere/x.sock: there is no such socket\n  Start",
            run.Error.ToString());
    }

    [Fact]
    public async Task ASocketThatNobodyListensOnIsALeftover()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.Path("x.sock");
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Bind(new UnixDomainSocketEndPoint(path)); // never listens
            CliRun run = Cli();
            Assert.Equal(ExitCodes.Refused, await run.RunAsync("port", "list", "--endpoint", $"unix:{path}", "--json"));
            using JsonDocument error = JsonDocument.Parse(run.Error.ToString());
            JsonElement inner = error.RootElement.GetProperty("error");
            Assert.Equal("UNAVAILABLE", inner.GetProperty("code").GetString());
            Assert.Contains("nobody listens", inner.GetProperty("message").GetString());
        }
    }

    [Fact]
    public async Task ATcpPortThatNobodyListensOn()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.IPv6Loopback, 0)); // taken, but not listening
        string endpoint = $"http://[::1]:{((System.Net.IPEndPoint)socket.LocalEndPoint!).Port}";
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("port", "list", "--endpoint", endpoint));
        Assert.StartsWith($"interguest: cannot reach the switch at {endpoint}: ", run.Error.ToString());
    }

    [Fact]
    public async Task ASocketOfSomethingElseIsNamedAsThat()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.Path("x.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        Task hangUp = Task.Run(async () => (await listener.AcceptAsync()).Dispose());
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("port", "list", "--endpoint", $"unix:{path}"));
        await hangUp;
        Assert.Matches(
            "^interguest: the connection to the switch at .* broke\n  .*not its control socket", run.Error.ToString());
    }

    [Fact]
    public void PermissionDeniedNamesTheUser()
    {
        CliException e = SwitchErrors.Of(new RpcException(new Status(StatusCode.Unavailable, "x")),
            new SocketException((int)SocketError.AccessDenied), Endpoint.Parse("unix:/x", "test"),
            new CliRun().Context(), default);
        Assert.Equal("cannot reach the switch at unix:/x: permission denied", e.Message);
        Assert.StartsWith("User jo may not write", e.Remedy);
    }

    [Fact]
    public async Task AnOlderSwitchIsNamedAsThat()
    {
        Control.Failure = new RpcException(new Status(StatusCode.Unimplemented, ""));
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("port", "list"));
        Assert.Contains("It is older than this interguest", run.Error.ToString());
    }
}
