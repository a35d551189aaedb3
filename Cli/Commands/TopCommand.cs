using System.CommandLine;
using System.Globalization;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest top`.</summary>
internal static class TopCommand
{
    private const double LongestInterval = 3600;

    public static CliCommand Create(CliContext context)
    {
        Option<double?> interval = ParsedOption.Create<double?>("--interval", "SECONDS", "Seconds between two looks. Default: 1.",
            text => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds)
                && seconds is > 0 and <= LongestInterval ? seconds : null,
            $"a number of seconds above 0, to {LongestInterval}");
        Option<uint?> count = ParsedOption.Create<uint?>("--count", "N",
            "End after so many looks. Default: on a terminal and with --json none, else 1.",
            text => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number > 0 ? number : null,
            "a number above 0");
        var command = new CliCommand("top", "Show what flows now, most first, with small graphs of what flowed before.")
        {
            Remarks =
            [
                "On a terminal it stays and shows what changes; Ctrl-C ends it (exit code 0).",
                "With --json each look is one line.",
            ],
            Examples =
            [
                "interguest top",
                "interguest top --interval 5 --count 3    # three looks, five seconds each",
                "interguest top --json --count 1 | jq '.directions[0]'",
            ],
        };
        command.Add(interval);
        command.Add(count);
        command.SetAction(async (result, cancellation) =>
        {
            using SwitchClient client = GlobalOptions.Connect(result, context);
            bool json = GlobalOptions.IsJson(result);
            uint looks = result.GetValue(count) ?? (json || context.Screen.IsTerminal ? uint.MaxValue : 1);
            await RunAsync(context, client, TimeSpan.FromSeconds(result.GetValue(interval) ?? 1), looks, json, cancellation);
            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task RunAsync(
        CliContext context, SwitchClient client, TimeSpan interval, uint looks, bool json, CancellationToken cancellation)
    {
        var report = new TopReport();
        using LiveScreen? live = json || !context.Screen.IsTerminal ? null : new LiveScreen(context);
        try
        {
            SwitchStatus before = await SampleAsync(client, cancellation);
            for (uint look = 0; look < looks; look++)
            {
                await Task.Delay(interval, context.Clock, cancellation);
                SwitchStatus now = await SampleAsync(client, cancellation);
                report.Add(before, now);
                before = now;
                Show(context, live, report, json, look == 0);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Ctrl-C is how it ends.
        }
    }

    private static void Show(CliContext context, LiveScreen? live, TopReport report, bool json, bool first)
    {
        if (json)
        {
            context.Out.WriteLine(report.Json());
        }
        else if (live != null)
        {
            live.Show(report.Write);
        }
        else
        {
            if (!first)
                context.Screen.WriteLine();
            report.Write(context.Screen);
        }
    }

    private static Task<SwitchStatus> SampleAsync(SwitchClient client, CancellationToken cancellation) =>
        client.CallAsync((control, options) => control.GetStatusAsync(new GetStatusRequest(), options), cancellation);
}
