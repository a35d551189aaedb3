using System.Text.Json;
using InterGuest.Cli.Tests.Fakes;

namespace InterGuest.Cli.Tests.Commands;

public class JsonTests : SwitchTest
{
    [Fact]
    public async Task AnEmptyListIsAnEmptyList()
    {
        JsonElement root = await RunAsync("port", "list");
        Assert.Equal(0, root.GetProperty("ports").GetArrayLength());
    }

    [Fact]
    public async Task ZerosAreWritten()
    {
        Control.Ports.Add(Samples.Faulted("a"));
        JsonElement port = await RunAsync("port", "show", "a");
        Assert.Equal("PORT_STATE_FAULTED", port.GetProperty("state").GetString());
        Assert.Equal(0, port.GetProperty("runningQueuePairs").GetInt32());
        Assert.Equal("0", port.GetProperty("counters").GetProperty("txFrames").GetString());
        Assert.Equal("", port.GetProperty("link").GetString());
    }

    [Fact]
    public async Task AddIsThePort() =>
        
        Assert.Equal("/run/ig/a.sock", (await RunAsync("port", "add", "a")).GetProperty("socketPath").GetString());

    [Fact]
    public async Task RemoveIsAnEmptyObject() =>
        Assert.Empty((await RunAsync("link", "remove", "a")).EnumerateObject());

    [Fact]
    public async Task StatusIsOneSample()
    {
        Control.Samples.Enqueue(Samples.Status());
        JsonElement status = await RunAsync("status");
        Assert.Equal("5000s", status.GetProperty("switch").GetProperty("uptime").GetString());
        Assert.Single(Control.Requests);
    }

    [Fact]
    public async Task LinkDirections()
    {
        Control.Links.Add(Samples.Up("lan", "a", "b"));
        JsonElement link = (await RunAsync("link", "list")).GetProperty("links")[0];
        Assert.Equal("17", link.GetProperty("directions")[0].GetProperty("drops")[0].GetProperty("count").GetString());
        Assert.Equal("0.500s", link.GetProperty("hold").GetString());
    }

    private async Task<JsonElement> RunAsync(params string[] arguments) =>
        JsonDocument.Parse(await Cli().OutputAsync([.. arguments, "--json"])).RootElement;
}
