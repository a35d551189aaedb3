using System.CommandLine;
using InterGuest.Cli.Commands;
using InterGuest.Cli.Tests.Fakes;

namespace InterGuest.Cli.Tests.Commands;

public class HelpTests
{
    public static TheoryData<string> Paths() => new(All(RootCommandBuilder.Build(new CliRun().Context()), ""));

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task EveryCommandHasExamplesThatItUnderstandsIn80Columns(string path)
    {
        var run = new CliRun();
        string help = await run.OutputAsync([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
        Assert.All(help.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
        string examples = help[help.IndexOf("Examples:", StringComparison.Ordinal)..];
        Assert.Contains($"interguest {path}".Trim(), examples);
        foreach (string example in examples.Split('\n'))
        {
            if (!example.StartsWith("  interguest ", StringComparison.Ordinal))
                continue;
            string line = example.Split([" # ", " | ", " > "], StringSplitOptions.None)[0].Trim();
            Assert.Empty(CommandLine.Parse(line.Split(' ')[1..], run.Context()).Errors);
        }
    }

    [Fact]
    public async Task HelpNeedsNoSwitchAndNoEndpoint() =>
        Assert.Contains("Usage:", await new CliRun().OutputAsync("link", "add", "--help"));

    [Fact]
    public async Task JsonIsExplained() => Assert.Contains("lowerCamelCase", await new CliRun().OutputAsync("--help"));

    private static IEnumerable<string> All(Command command, string path)
    {
        yield return path;
        foreach (Command inner in command.Subcommands)
            foreach (string innerPath in All(inner, $"{path} {inner.Name}".Trim()))
                yield return innerPath;
    }
}
