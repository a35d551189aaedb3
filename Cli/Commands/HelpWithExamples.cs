using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace InterGuest.Cli.Commands;

/// <summary>The library's help, and below it the examples of the command.</summary>
internal sealed class HelpWithExamples(HelpAction help, CliContext context, IReadOnlyList<string> rootExamples)
    : SynchronousCommandLineAction
{
    private const int Narrowest = 40;
    private const int Widest = 100;

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        help.MaxWidth = Math.Clamp(context.Screen.Width, Narrowest, context.Screen.IsTerminal ? Widest : 80);
        int exitCode = help.Invoke(parseResult);
        var command = parseResult.CommandResult.Command as CliCommand;
        WriteSection("Remarks", command?.Remarks ?? []);
        WriteSection("Examples", command?.Examples ?? rootExamples);
        return exitCode;
    }

    private void WriteSection(string title, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
            return;
        context.Out.WriteLine($"{title}:");
        foreach (string line in lines)
            context.Out.WriteLine($"  {line}");
        context.Out.WriteLine();
    }
}
