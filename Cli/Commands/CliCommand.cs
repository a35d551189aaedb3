using System.CommandLine;

namespace InterGuest.Cli.Commands;

/// <summary>A command with examples in its help.</summary>
internal sealed class CliCommand(string name, string description) : Command(name, description)
{
    /// <summary>Command lines, each with what it is good for after a '#'.</summary>
    public required IReadOnlyList<string> Examples { get; init; }

    /// <summary>What its help says below the options, in lines.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>Runs with a connection to the switch.</summary>
    public void OnSwitch(CliContext context, Func<ParseResult, SwitchClient, CancellationToken, Task> run) =>
        SetAction(async (result, cancellation) =>
        {
            using SwitchClient client = GlobalOptions.Connect(result, context);
            await run(result, client, cancellation);
            return ExitCodes.Success;
        });
}
