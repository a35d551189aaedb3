using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using InterGuest.Switch.Tests.Control;
using InterGuest.Switch.Web;
using Microsoft.Extensions.DependencyInjection;

namespace InterGuest.Switch.Tests.Web;

/// <summary>The switch's page as a browser gets it; Interop.Tests has one look at it.</summary>
public sealed partial class PageTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly HttpClient _http = new();
    private RunningApplication _switch = null!;
    private Uri _page = null!;

    public async Task InitializeAsync()
    {
        _switch = await RunningApplication.StartAsync(RunningApplication.OptionsIn(_directory) with { Web = new Uri("http://127.0.0.1:0") });
        _page = (await _switch.Services).GetRequiredService<ObservationHost>().Web!;
    }

    public async Task DisposeAsync() => await _switch.DisposeAsync();

    public void Dispose()
    {
        _http.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task ThePageNeedsNothingFromElsewhereAndMayNotHaveIt()
    {
        using var response = await _http.GetAsync(_page);
        string html = await response.Content.ReadAsStringAsync();
        Assert.Equal("text/html; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Assert.Matches("default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'", response.Headers.GetValues("Content-Security-Policy").Single());
        Assert.All(Address().Matches(html), m => Assert.Equal("http://www.w3.org/2000/svg", m.Value)); // a name, not an address
        Assert.DoesNotContain("style=\"", html, StringComparison.Ordinal); // which the policy would refuse
    }

    [Fact]
    public async Task TheStreamTellsTheStatusWhyNotAndWhatHappens()
    {
        await _switch.Client.CreatePortAsync(new() { Name = "a" });
        using var reader = new StreamReader(await _http.GetStreamAsync(new Uri(_page, "/events")));
        using (var first = await NextAsync(reader, "status"))
        {
            Assert.Equal("PORT_STATE_LISTENING", first.RootElement.GetProperty("status").GetProperty("ports")[0].GetProperty("state").GetString());
            Assert.Equal("no_front_end", first.RootElement.GetProperty("diagnosis").GetProperty("findings")[0].GetProperty("code").GetString());
        }
        await _switch.Client.DeletePortAsync(new() { Name = "a" });
        using var happened = await NextAsync(reader, "happened");
        Assert.Equal("port a is removed", happened.RootElement.GetProperty("text").GetString());
        Assert.True(happened.RootElement.GetProperty("time").TryGetDateTimeOffset(out _));
        using var second = await NextAsync(reader, "status");
        Assert.Equal(0, second.RootElement.GetProperty("status").GetProperty("ports").GetArrayLength());
    }

    /// <summary>Nor does the switch's end cut any of them off.</summary>
    [Fact]
    public async Task ReadersDoNotKeepTheSwitchFromItsEnd()
    {
        var readers = new List<StreamReader>();
        for (int i = 0; i < 20; i++)
        {
            readers.Add(new StreamReader(await _http.GetStreamAsync(new Uri(_page, "/events"))));
            (await NextAsync(readers[^1], "status")).Dispose();
        }
        await _switch.StopAsync();
        foreach (var reader in readers)
        {
            while (await Wait.ForAsync(reader.ReadLineAsync(), "the end of the stream") != null)
            {
            }
            reader.Dispose();
        }
    }

    [Fact]
    public async Task MetricsAreNotThereUnlessAskedFor() =>
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync(new Uri(_page, "/metrics"))).StatusCode);

    private static async Task<JsonDocument> NextAsync(StreamReader reader, string name)
    {
        while (await Wait.ForAsync(reader.ReadLineAsync(), $"the next {name}") is { } line)
            if (line == $"event: {name}")
                return JsonDocument.Parse((await reader.ReadLineAsync())!["data: ".Length..]);
        throw new EndOfStreamException(name);
    }

    [GeneratedRegex("https?://[^\"' )]*")]
    private static partial Regex Address();
}
