using System.Text.Json;
using InterGuest.Cli.Tests.Fakes;

namespace InterGuest.Cli.Tests.Commands;

public class VersionCommandTests : SwitchTest
{
    [Fact]
    public async Task BothVersions()
    {
        Control.Samples.Enqueue(Samples.Status());
        string output = await Cli().OutputAsync("version");
        Assert.Matches("^interguest [0-9.]+\nswitch 0.1.0 at unix:", output);
    }

    [Fact]
    public async Task WithoutASwitchItStillSucceeds()
    {
        string output = await Cli().OutputAsync("version", "--endpoint", "unix:/nowhere");
        Assert.Matches("^interguest [0-9.]+\nswitch unknown: cannot reach", output);
        using JsonDocument json =
            JsonDocument.Parse(await Cli().OutputAsync("version", "--endpoint", "unix:/nowhere", "--json"));
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("switch").ValueKind);
    }

    [Fact]
    public async Task TheOptionIsTheVersionAlone() =>
        Assert.Matches("^[0-9.]+\n$", await Cli().OutputAsync("--version"));
}
