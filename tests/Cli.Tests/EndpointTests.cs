using InterGuest.Cli.Tests.Fakes;

namespace InterGuest.Cli.Tests;

public class EndpointTests
{
    [Theory]
    [InlineData("unix:/run/x.sock", "/run/x.sock")]
    [InlineData("unix:///run/x.sock", "/run/x.sock")]
    [InlineData("unix:x.sock", "x.sock")]
    public void UnixPaths(string text, string path) => Assert.Equal(path, Endpoint.Parse(text, "test").SocketPath);

    [Fact]
    public void HttpHasNoSocket()
    {
        Endpoint endpoint = Endpoint.Parse("http://host:50051", "test");
        Assert.Null(endpoint.SocketPath);
        Assert.Equal(50051, endpoint.Address.Port);
    }

    [Theory]
    [InlineData("")]
    [InlineData("unix:")]
    [InlineData("unix://host/x.sock")]
    [InlineData("/run/x.sock")]
    [InlineData("ftp://host:1")]
    [InlineData("https://host:1/path")]
    [InlineData("http://host:1/path")]
    [InlineData("http://me@host:1")]
    [InlineData("host:1")]
    public void OtherTextIsAUsageErrorThatNamesWhereItCameFrom(string text)
    {
        CliException e = Assert.Throws<CliException>(() => Endpoint.Parse(text, "--endpoint"));
        Assert.Equal(ExitCodes.Usage, e.ExitCode);
        Assert.StartsWith("--endpoint: ", e.Message);
        Assert.Contains("unix:PATH", e.Remedy);
    }

    [Fact]
    public void APathThatDoesNotFitIntoASocketAddressIsAUsageError()
    {
        Assert.NotNull(Endpoint.Parse("unix:/" + new string('a', 106), "test").SocketPath);
        CliException e = Assert.Throws<CliException>(() => Endpoint.Parse("unix:/" + new string('a', 107), "test"));
        Assert.Contains("108 bytes", e.Message);
    }

    [Fact]
    public void TheOptionBeatsTheEnvironmentWhichBeatsTheDefault()
    {
        var run = new CliRun { Variables = { ["INTERGUEST_ENDPOINT"] = "unix:/env", ["XDG_RUNTIME_DIR"] = "/xdg" } };
        Assert.Equal("/option", Endpoint.Resolve("unix:/option", run.Context()).SocketPath);
        Assert.Equal("/env", Endpoint.Resolve(null, run.Context()).SocketPath);
        run.Variables["INTERGUEST_ENDPOINT"] = "";
        Assert.Equal("/xdg/interguest/control.sock", Endpoint.Resolve(null, run.Context()).SocketPath);
    }

    [Fact]
    public void RootHasTheSystemsSwitch()
    {
        var run = new CliRun { IsRoot = true, Variables = { ["XDG_RUNTIME_DIR"] = "/xdg" } };
        Assert.Equal("/run/interguest/control.sock", Endpoint.Resolve(null, run.Context()).SocketPath);
    }

    [Theory]
    [InlineData("")]
    [InlineData("relative")]
    public async Task WithoutARuntimeDirectoryTheErrorNamesTheVariable(string value)
    {
        var run = new CliRun { Variables = { ["XDG_RUNTIME_DIR"] = value } };
        Assert.Equal(ExitCodes.Usage, await run.RunAsync("port", "list"));
        Assert.StartsWith("interguest: XDG_RUNTIME_DIR is ", run.Error.ToString());
        Assert.Contains("--endpoint", run.Error.ToString());
        Assert.DoesNotContain("/tmp", run.Error.ToString());
    }

    [Fact]
    public async Task AnEmptyOptionIsAnErrorNotTheDefault()
    {
        var run = new CliRun { IsRoot = true };
        Assert.Equal(ExitCodes.Usage, await run.RunAsync("port", "list", "--endpoint", ""));
    }

    [Fact]
    public async Task AnHttpsEndpointNeedsCertificates()
    {
        var run = new CliRun();
        Assert.Equal(2, await run.RunAsync("--endpoint", "https://host:1", "status"));
        Assert.Contains("an https endpoint needs INTERGUEST_TLS_CERT", run.Error.ToString());
        run = new CliRun
        {
            Variables = { ["INTERGUEST_TLS_CERT"] = "/no/c", ["INTERGUEST_TLS_KEY"] = "/no/k", ["INTERGUEST_TLS_CA"] = "/no/a" },
        };
        Assert.Equal(2, await run.RunAsync("--endpoint", "https://host:1", "status"));
        Assert.Contains("the certificates cannot be used", run.Error.ToString());
    }
}
