using System.CommandLine;
using System.CommandLine.Parsing;

namespace InterGuest.Cli;

/// <summary>What is wrong with a command line, in a sentence, and which help says how it goes.</summary>
internal static class UsageErrors
{
    public static CliException Of(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        string path = Path(result.CommandResult);
        return CliException.Usage(Message(result, command, path), $"See '{path} --help'.");
    }

    private static string Message(ParseResult result, Command command, string path)
    {
        if (command.Subcommands.Count > 0)
        {
            string commands = string.Join(", ", command.Subcommands.Select(c => c.Name));
            return result.UnmatchedTokens.Count > 0
                ? $"'{path}' has no '{result.UnmatchedTokens[0]}'; it has {commands}"
                : $"'{path}' needs one of {commands}";
        }
        string[] missing = command.Arguments
            .Where(argument => result.GetResult(argument) is not { Tokens.Count: > 0 })
            .Select(argument => argument.Name)
            .ToArray();
        if (missing.Length > 0 && result.UnmatchedTokens.Count == 0)
            return $"'{path}' needs {string.Join(" and ", missing)}";
        return string.Join("; ", result.Errors.Select(error => OneLine(error.Message).TrimEnd('.')).Distinct());
    }

    private static string OneLine(string text) =>
        string.Join(' ', text.Split(['\n', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries));

    private static string Path(CommandResult result)
    {
        string path = "interguest";
        var names = new Stack<string>();
        for (SymbolResult? at = result; at is CommandResult { Command: not RootCommand } inner; at = inner.Parent)
            names.Push(inner.Command.Name);
        return names.Count > 0 ? $"{path} {string.Join(' ', names)}" : path;
    }
}
