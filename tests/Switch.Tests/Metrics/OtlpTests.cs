using System.Text;
using System.Collections.Concurrent;
using InterGuest.Switch.Tests.Control;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace InterGuest.Switch.Tests.Metrics;

/// <summary>Metrics arrive at an OpenTelemetry collector, at the latest when the switch ends.</summary>
public sealed class OtlpTests
{
    [Theory]
    [InlineData("/v1/metrics", "/v1/metrics", "application/x-protobuf")]
    [InlineData("/", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "application/grpc")]
    public async Task ACollectorGetsTheCounters(string path, string called, string type)
    {
        var got = new ConcurrentQueue<(string Path, string? Type, string Body)>();
        await using var collector = await StartCollectorAsync(path == "/" ? HttpProtocols.Http2 : HttpProtocols.Http1, got);
        using var directory = new TemporaryDirectory();
        await using (var running = await RunningApplication.StartAsync(
            RunningApplication.OptionsIn(directory) with { Otlp = new Uri(new Uri(collector.Urls.Single()), path) }))
        {
            await running.Client.CreatePortAsync(new() { Name = "the-port" });
        }
        var last = got.Last();
        Assert.Equal((called, type), (last.Path, last.Type));
        Assert.Contains("interguest.queue.frames", last.Body, StringComparison.Ordinal);
        Assert.Contains("the-port", last.Body, StringComparison.Ordinal);
        Assert.Contains("interguest-switch", last.Body, StringComparison.Ordinal);
    }

    private static async Task<WebApplication> StartCollectorAsync(HttpProtocols protocols, ConcurrentQueue<(string, string?, string)> got)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(System.Net.IPAddress.Loopback, 0, o => o.Protocols = protocols));
        var collector = builder.Build();
        collector.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            got.Enqueue((context.Request.Path, context.Request.ContentType, Encoding.Latin1.GetString(body.ToArray())));
            if (protocols != HttpProtocols.Http2)
                return;
            context.Response.ContentType = "application/grpc";
            await context.Response.Body.WriteAsync(new byte[5]); // an empty message, not compressed
            context.Response.AppendTrailer("grpc-status", "0");
        });
        await collector.StartAsync();
        return collector;
    }
}
