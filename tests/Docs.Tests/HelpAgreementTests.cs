using System.CommandLine;
using System.Text.RegularExpressions;
using InterGuest.Cli;
using InterGuest.Cli.Commands;
using InterGuest.Cli.Output;

namespace InterGuest.Docs.Tests;

/// <summary>README.md, docs/ and --help speak of the same commands and options.</summary>
public sealed partial class HelpAgreementTests
{
    private static readonly string[] Files = [Path.Combine(Documents.Root, "README.md"), .. Directory.GetFiles(Path.Combine(Documents.Root, "docs"), "*.md")];

    private static readonly RootCommand Client = RootCommandBuilder.Build(new CliContext
    {
        Screen = new Screen(TextWriter.Null, isTerminal: false, 80, colours: false),
        Error = TextWriter.Null,
        Environment = _ => null,
    });

    private static readonly RootCommand Daemon = Switch.SwitchCommand.Build();

    private static readonly RootCommand Guest = Agent.AgentCommand.Build(Agent.AgentContext.OfProcess());

    [Fact]
    public void Every_command_that_a_document_shows_exists_with_its_options()
    {
        string[] lines = [.. Files.SelectMany(ShownCommands)];
        Assert.True(lines.Length >= 20, "the documents show fewer commands than they should");
        Assert.Equal([], lines.Select(Problem).OfType<string>().ToArray());
    }

    [Fact]
    public void Every_command_is_in_a_document()
    {
        string all = string.Join('\n', Files.Select(File.ReadAllText));
        string[] missing = [.. Client.Subcommands.Where(c => !c.Hidden).Select(c => c.Name).Where(n => !all.Contains($"interguest {n}", StringComparison.Ordinal))];
        Assert.Equal([], missing);
    }

    [Fact]
    public void Every_option_of_the_daemon_is_in_a_document()
    {
        string all = string.Join('\n', Files.Select(File.ReadAllText));
        string[] missing = [.. Daemon.Options.Select(o => o.Name).Where(n => n is not ("--help" or "--version")).Where(n => !all.Contains($"`{n}", StringComparison.Ordinal))];
        Assert.Equal([], missing);
    }

    [Fact]
    public void Every_command_of_the_agent_is_in_a_document()
    {
        string all = string.Join('\n', Files.Select(File.ReadAllText));
        string[] missing = [.. Guest.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)
            .Where(n => !all.Contains($"interguest-agent {n}", StringComparison.Ordinal) && !all.Contains($"`{n}`", StringComparison.Ordinal))];
        Assert.Equal([], missing);
    }

    /// <summary>What stands in a code span or block and begins with one of the programs.</summary>
    private static IEnumerable<string> ShownCommands(string file)
    {
        string text = File.ReadAllText(file).Replace("\\\n", " ", StringComparison.Ordinal);
        return Spans().Matches(text).Select(m => m.Groups[1].Value)
            .Concat(Blocks().Matches(text).SelectMany(m => m.Groups[1].Value.Split('\n')))
            .SelectMany(code => Invocations().Matches(code).Select(m => $"{Path.GetFileName(file)}: {m.Value.Trim()}"));
    }

    private static string? Problem(string shown)
    {
        string line = shown[(shown.IndexOf(": ", StringComparison.Ordinal) + 2)..];
        string[] words = [.. line.Split(" #")[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        Command command = words[0].EndsWith("-switch", StringComparison.Ordinal) ? Daemon
            : words[0].EndsWith("-agent", StringComparison.Ordinal) ? Guest : Client;
        var known = new List<Option>(command.Options);
        foreach (string word in words[1..])
        {
            if (word.StartsWith("--", StringComparison.Ordinal))
            {
                string name = OptionName().Match(word).Value;
                if (known.All(o => o.Name != name))
                    return $"{shown}: no option {name}";
            }
            else if (command.Subcommands.FirstOrDefault(c => c.Name == word) is { } inner)
            {
                command = inner;
                known.AddRange(inner.Options);
            }
            else if (command.Subcommands.Count > 0 && command.Arguments.Count == 0 && CommandWord().IsMatch(word))
            {
                return $"{shown}: no command {word}";
            }
        }
        return null;
    }

    [GeneratedRegex(@"(?<!`)`([^`\n]+)`(?!`)")]
    private static partial Regex Spans();

    [GeneratedRegex(@"```[a-z]*\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Blocks();

    [GeneratedRegex(@"(?<![\w./-])(?:bin/)?(interguest(?:-switch|-agent)?) (?=[a-z-])[^|)&>;$""]*")]
    private static partial Regex Invocations();

    [GeneratedRegex(@"^--[a-z-]+")]
    private static partial Regex OptionName();

    [GeneratedRegex(@"^[a-z-]+$")]
    private static partial Regex CommandWord();
}
