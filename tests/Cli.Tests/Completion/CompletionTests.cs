using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Completion;

public class CompletionTests : SwitchTest
{
    [Fact]
    public async Task Commands()
    {
        string[] lines = await SuggestAsync("port ");
        Assert.Contains("add", lines);
        Assert.Contains("remove", lines);
        Assert.DoesNotContain("/h", lines);
    }

    [Theory]
    [InlineData("port show ")]
    [InlineData("port remove ")]
    [InlineData("qemu ")]
    [InlineData("link add lan ")]
    [InlineData("link add lan alpha ")]
    public async Task PortsComeFromTheSwitch(string line)
    {
        Control.Ports.AddRange([new Port { Name = "alpha" }, new Port { Name = "beta" }]);
        string[] lines = await SuggestAsync(line);
        Assert.Contains("alpha", lines);
        Assert.Contains("beta", lines);
    }

    [Theory]
    [InlineData("link show ")]
    [InlineData("link up ")]
    [InlineData("link down ")]
    [InlineData("link remove ")]
    public async Task LinksComeFromTheSwitch(string line)
    {
        Control.Links.Add(new Link { Name = "lan" });
        Assert.Contains("lan", await SuggestAsync(line));
    }

    [Fact]
    public async Task NewNamesAreNotCompleted()
    {
        Control.Ports.Add(new Port { Name = "alpha" });
        Assert.DoesNotContain("alpha", await SuggestAsync("port add "));
        Assert.Empty(Control.Requests);
    }

    [Fact]
    public async Task TheEndpointOnTheLineIsAsked()
    {
        Control.Ports.Add(new Port { Name = "alpha" });
        CliRun run = new() { Variables = { ["INTERGUEST_ENDPOINT"] = "unix:/nowhere" } };
        Assert.Contains("alpha", await SuggestAsync($"--endpoint {Switch.Endpoint} port show ", run));
    }

    [Theory]
    [InlineData("unix:/nowhere")]
    [InlineData("nonsense")]
    public async Task WithoutASwitchThereAreNoNamesAndNoMessages(string endpoint)
    {
        CliRun run = new() { Variables = { ["INTERGUEST_ENDPOINT"] = endpoint } };
        string[] lines = await SuggestAsync("port show ", run);
        Assert.All(lines, line => Assert.StartsWith("-", line));
    }

    [Fact]
    public async Task ASwitchThatDoesNotAnswerIsGivenUp()
    {
        Control.Silent = true;
        CliRun run = new()
        {
            QuickDeadline = TimeSpan.FromMilliseconds(300),
            Variables = { ["INTERGUEST_ENDPOINT"] = Switch.Endpoint },
        };
        string[] lines = await SuggestAsync("port show ", run).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.All(lines, line => Assert.StartsWith("-", line));
    }

    [Fact]
    public void ATabIsWorth300Milliseconds()
    {
        using var interrupt = new Interrupt();
        Assert.Equal(TimeSpan.FromMilliseconds(300), CliContext.OfProcess(interrupt).QuickDeadline);
    }

    [Theory]
    [InlineData("bash", "complete -F _interguest interguest interguest-switch interguest-agent")]
    [InlineData("zsh", "#compdef interguest interguest-switch interguest-agent")]
    [InlineData("fish", "for program in interguest interguest-switch interguest-agent")]
    public async Task ScriptsUseTheDirective(string shell, string line)
    {
        string script = await Cli().OutputAsync("completion", shell);
        Assert.Contains(line, script);
        Assert.Contains("[suggest:", script);
    }

    private Task<string[]> SuggestAsync(string line) => SuggestAsync(line, Cli());

    private static async Task<string[]> SuggestAsync(string line, CliRun run) =>
        (await run.OutputAsync($"[suggest:{line.Length}]", line)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
