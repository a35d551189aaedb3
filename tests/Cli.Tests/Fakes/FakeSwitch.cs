using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace InterGuest.Cli.Tests.Fakes;

/// <summary>A real gRPC server on a Unix socket (and on TCP), with a <see cref="FakeControl"/> in it.</summary>
internal sealed class FakeSwitch : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly TemporaryDirectory _directory = new();

    private FakeSwitch()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ListenUnixSocket(SocketPath, options => options.Protocols = HttpProtocols.Http2);
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, options => options.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(Control);
        _server = builder.Build();
        _server.MapGrpcService<FakeControl>();
    }

    public FakeControl Control { get; } = new();

    public string SocketPath => _directory.Path("control.sock");

    public string Endpoint => $"unix:{SocketPath}";

    public string TcpEndpoint => _server.Urls.Single(url => url.StartsWith("http://127", StringComparison.Ordinal));

    public static async Task<FakeSwitch> StartAsync()
    {
        var fake = new FakeSwitch();
        await fake._server.StartAsync();
        return fake;
    }

    public CliRun Cli() => new() { Variables = { [InterGuest.Cli.Endpoint.Variable] = Endpoint } };

    /// <summary>At once: watchers would keep it for half a minute.</summary>
    public Task StopAsync() => _server.StopAsync(new CancellationToken(canceled: true));

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _server.DisposeAsync();
        _directory.Dispose();
    }
}
