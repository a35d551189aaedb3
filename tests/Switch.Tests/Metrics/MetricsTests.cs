using System.Net;
using System.Text.RegularExpressions;
using InterGuest.Switch.Tests.Block;
using InterGuest.Switch.Tests.Control;
using InterGuest.Switch.Web;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using Microsoft.Extensions.DependencyInjection;

namespace InterGuest.Switch.Tests.Metrics;

/// <summary>The switch's numbers as Prometheus reads them, and what keeps others from reading them.</summary>
public sealed partial class MetricsTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly HttpClient _http = new();
    private RunningApplication _switch = null!;
    private Uri _metrics = null!;

    public async Task InitializeAsync()
    {
        _switch = await RunningApplication.StartAsync(RunningApplication.OptionsIn(_directory) with { Metrics = new Uri("http://127.0.0.1:0") });
        _metrics = (await _switch.Services).GetRequiredService<ObservationHost>().Metrics!;
    }

    public async Task DisposeAsync() => await _switch.DisposeAsync();

    public void Dispose()
    {
        _http.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task WhatFlowedAndWhatDidNotIsThere()
    {
        using var guests = await PairAsync();
        Exchange.BothWays(guests.A, guests.B);
        await _switch.Client.SetLinkUpAsync(new() { Name = "l", Up = false });
        Exchange.ToNowhere(guests.A, 3);
        var seen = await ReadAsync();
        Assert.Equal(5, seen["interguest_queue_frames_total{port=\"a\",queue=\"1\",direction=\"transmit\"}"]);
        Assert.Equal(1000, seen["interguest_queue_bytes_total{port=\"a\",queue=\"0\",direction=\"receive\"}"]);
        Assert.Equal(3, seen["interguest_queue_drops_total{port=\"a\",queue=\"1\",direction=\"transmit\",reason=\"link_down\"}"]);
        Assert.Equal(5, seen["interguest_link_frames_total{link=\"l\",from=\"b\",to=\"a\"}"]);
        Assert.Equal(3, seen["interguest_link_drops_total{link=\"l\",from=\"a\",to=\"b\",reason=\"link_down\"}"]);
        Assert.Equal(1, seen["interguest_port_connections_total{port=\"b\"}"]);
        Assert.Equal(1, seen["interguest_port_state{port=\"a\",state=\"running\"}"]);
        Assert.Equal(0, seen["interguest_port_state{port=\"a\",state=\"faulted\"}"]);
        Assert.Equal(1, seen["interguest_link_state{link=\"l\",state=\"down\"}"]);
        Assert.True(seen.Keys.Any(k => k.StartsWith("dotnet_process_cpu_time_seconds_total", StringComparison.Ordinal)), string.Join('\n', seen.Keys));
    }

    [Fact]
    public async Task ADisksRequestsAreThereWithTheirTimes()
    {
        await _switch.Client.CreatePortAsync(new() { Name = "disk", Type = Protos.V1.DeviceType.Block, QueuePairs = 2 });
        await _switch.Client.CreatePortAsync(new() { Name = "store", Type = Protos.V1.DeviceType.BlockServer });
        await _switch.Client.CreateLinkAsync(new() { Name = "d", Ports = { "disk", "store" } });
        using var server = new DiskServer(_directory.At("ports/store.sock")).Begin();
        Wait.Until(() => File.Exists(_directory.At("ports/disk.sock")), "the disk's port opens");
        using var client = new DiskClient(_directory.At("ports/disk.sock"));
        int write = client.Write(0, new byte[4096]), read = client.Read(0, 512);
        var (request, data) = server.Next();
        var (other, none) = server.Next();
        Assert.Equal(2, (await ReadAsync())["interguest_disk_in_flight{port=\"disk\"}"]);
        server.Do(request, data);
        server.Do(other, none);
        client.Ends(BlockStatus.Ok, write);
        client.Ends(BlockStatus.Ok, read);
        var seen = await ReadAsync();
        Assert.Equal(0, seen["interguest_disk_in_flight{port=\"disk\"}"]);
        Assert.Equal(2, seen["interguest_disk_latency_seconds_count{port=\"disk\"}"]);
        Assert.Equal(2, seen["interguest_disk_latency_seconds_bucket{port=\"disk\",le=\"+Inf\"}"]);
        Assert.True(seen["interguest_disk_latency_seconds_sum{port=\"disk\"}"] > 0);
        Assert.Equal((1.0, 4096.0, 512.0), (seen["interguest_disk_writes_total{port=\"store\"}"], seen["interguest_disk_written_bytes_total{port=\"disk\"}"], seen["interguest_disk_read_bytes_total{port=\"disk\"}"]));
        var port = await _switch.Client.GetPortAsync(new() { Name = "disk" });
        Assert.Equal((2ul, 0ul), (port.Counters.Latency.Count, port.Counters.RequestsInFlight));
        Assert.True(port.Counters.Latency.Buckets[^1].Count <= 2 && port.Counters.Latency.Total.ToTimeSpan() > TimeSpan.Zero);
    }

    [Fact]
    public async Task WhatIsRemovedIsGone()
    {
        await _switch.Client.CreatePortAsync(new() { Name = "gone" });
        Assert.Contains((await ReadAsync()).Keys, k => k.Contains("\"gone\"", StringComparison.Ordinal));
        await _switch.Client.DeletePortAsync(new() { Name = "gone" });
        Assert.DoesNotContain((await ReadAsync()).Keys, k => k.Contains("\"gone\"", StringComparison.Ordinal));
    }

    /// <summary>Every name that the dashboard asks for is one that the switch has, with the labels that it sorts by.</summary>
    [Fact]
    public async Task TheDashboardAsksForWhatThereIs()
    {
        using var guests = await PairAsync();
        Exchange.BothWays(guests.A, guests.B);
        string text = await _http.GetStringAsync(_metrics);
        var declared = DeclaredName().Matches(text).Select(m => m.Groups[1].Value).ToHashSet();
        declared.UnionWith(declared.Where(n => n.EndsWith("_seconds", StringComparison.Ordinal)).Select(n => n + "_bucket").ToList());
        var labels = Label().Matches(text).Select(m => m.Groups[1].Value).Concat(["reason", "kind", "le"]).ToHashSet();
        string dashboard = await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "deploy/grafana/interguest.json"));
        using var json = System.Text.Json.JsonDocument.Parse(dashboard);
        var queries = json.RootElement.GetProperty("panels").EnumerateArray()
            .Where(p => p.TryGetProperty("targets", out _))
            .SelectMany(p => p.GetProperty("targets").EnumerateArray().Select(t => t.GetProperty("expr").GetString()!)).ToList();
        Assert.True(queries.Count >= 8, $"{queries.Count} queries");
        foreach (string query in queries)
        {
            var names = AskedName().Matches(query).Select(m => m.Value).ToList();
            Assert.NotEmpty(names);
            Assert.All(names, name => Assert.Contains(name, declared));
            Assert.All(By().Matches(query).SelectMany(m => m.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries)), label => Assert.Contains(label, labels));
        }
    }

    [Theory]
    [InlineData("POST", "/metrics", "127.0.0.1", HttpStatusCode.MethodNotAllowed)]
    [InlineData("GET", "/", "127.0.0.1", HttpStatusCode.NotFound)]
    [InlineData("GET", "/metrics", "localhost", HttpStatusCode.OK)]
    [InlineData("GET", "/metrics", "evil.example", HttpStatusCode.MisdirectedRequest)] // DNS rebinding
    public async Task OnlyReadersOfThisHostAreServed(string method, string path, string host, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(_metrics, path)) { Headers = { Host = host } };
        using var response = await _http.SendAsync(request);
        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task AnAddressInUseIsNamed()
    {
        using var other = new TemporaryDirectory();
        var error = await Assert.ThrowsAsync<SwitchException>(
            () => SwitchApplication.RunAsync(RunningApplication.OptionsIn(other) with { Metrics = new Uri(_metrics, "/") }, default));
        Assert.Contains($"--metrics: {_metrics.Authority} cannot be listened on", error.Message, StringComparison.Ordinal);
    }

    private async Task<Guests> PairAsync()
    {
        await _switch.Client.CreatePortAsync(new() { Name = "a" });
        await _switch.Client.CreatePortAsync(new() { Name = "b" });
        await _switch.Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } });
        return new Guests(TestGuest.Run(_directory.At("ports/a.sock")), TestGuest.Run(_directory.At("ports/b.sock")));
    }

    /// <summary>The samples by name and labels; every line is one or a comment, in the format.</summary>
    private async Task<Dictionary<string, double>> ReadAsync()
    {
        using var response = await _http.GetAsync(_metrics);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        var samples = new Dictionary<string, double>();
        foreach (string line in (await response.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line[0] == '#')
            {
                Assert.Matches("^# (HELP [a-z0-9_]+ .*|TYPE [a-z0-9_]+ (counter|gauge|histogram))$", line);
                continue;
            }
            Assert.Matches("^[a-z0-9_]+({([a-z0-9_]+=\"[^\"]*\",?)*})? [-0-9.eE+]+$", line);
            int space = line.LastIndexOf(' ');
            samples.Add(line[..space], double.Parse(line[(space + 1)..]));
        }
        return samples;
    }

    [GeneratedRegex(@"^# TYPE (\S+)", RegexOptions.Multiline)]
    private static partial Regex DeclaredName();

    [GeneratedRegex("[{,]([a-z_]+)=\"")]
    private static partial Regex Label();

    [GeneratedRegex(@"\b(interguest|dotnet)_[a-z0-9_]+")]
    private static partial Regex AskedName();

    [GeneratedRegex(@"by \(([^)]*)\)")]
    private static partial Regex By();

    private sealed record Guests(TestGuest A, TestGuest B) : IDisposable
    {
        public void Dispose()
        {
            A.Dispose();
            B.Dispose();
        }
    }
}
