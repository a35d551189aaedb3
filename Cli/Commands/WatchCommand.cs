using System.CommandLine;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest watch`.</summary>
internal static class WatchCommand
{
    public static CliCommand Create(CliContext context)
    {
        var current = new Option<bool>("--current")
        {
            Description = "Begin with one line for each port and link there is.",
        };
        var command = new CliCommand("watch",
            "Show what happens, as it happens, one line each.")
        {
            Remarks =
            [
                "Ends with Ctrl-C (exit code 0), or when the switch goes away (exit code 1).",
                "With --json each event is one line.",
            ],
            Examples =
            [
                "interguest watch",
                "interguest watch --current --json | jq -c .text",
            ],
        };
        command.Add(current);
        command.SetAction(async (result, cancellation) =>
        {
            using SwitchClient client = GlobalOptions.Connect(result, context);
            await RunAsync(context, client, result.GetValue(current), GlobalOptions.IsJson(result), cancellation);
            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task RunAsync(
        CliContext context, SwitchClient client, bool current, bool json, CancellationToken cancellation)
    {
        try
        {
            await foreach (Event happened in client.WatchAsync(current, cancellation))
                Write(context, happened, json);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Ctrl-C is how a watch ends.
        }
    }

    private static void Write(CliContext context, Event happened, bool json)
    {
        if (json)
            context.Out.WriteLine(JsonOutput.Line(happened));
        else
            EventLine.Write(context, happened);
    }
}
