using System.CommandLine;
using System.Globalization;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest status`.</summary>
internal static class StatusCommand
{
    private const double DefaultInterval = 0.5;
    private const double LongestInterval = 3600;

    public static CliCommand Create(CliContext context)
    {
        Option<double?> interval = Interval();
        var command = new CliCommand("status",
            "Show the whole picture: ports, links, rates, drops by reason, faults.")
        {
            Remarks =
            [
                "With --json the switch's one answer is printed at once. Rates are differences",
                "of its counters over differences of switch.uptime.",
            ],
            Examples =
            [
                "interguest status",
                "interguest status --interval 5           # rates over five seconds",
                "interguest status --interval 0           # at once, without rates",
                "interguest status --json | jq '.ports[] | {name, state}'",
            ],
        };
        command.Add(interval);
        command.Validators.Add(result =>
        {
            if (result.GetResult(interval) is not null && GlobalOptions.IsJson(result))
                result.AddError("--interval is for the rates, which --json does not have: use one of them");
        });
        command.OnSwitch(context, (result, client, cancellation) => GlobalOptions.IsJson(result)
            ? WriteJsonAsync(context, client, cancellation)
            : WriteAsync(context, client, result.GetValue(interval) ?? DefaultInterval, cancellation));
        return command;
    }

    private static Option<double?> Interval() => ParsedOption.Create<double?>("--interval", "SECONDS",
        "Seconds over which rates are measured; 0: no rates. Default: 0.5.",
        text => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds)
            && seconds <= LongestInterval ? seconds : null,
        $"a number of seconds from 0 to {LongestInterval}");

    private static async Task WriteAsync(
        CliContext context, SwitchClient client, double seconds, CancellationToken cancellation)
    {
        SwitchStatus? before = null;
        if (seconds > 0)
        {
            before = await SampleAsync(client, cancellation);
            await Task.Delay(TimeSpan.FromSeconds(seconds), context.Clock, cancellation);
        }
        StatusReport.Write(context, before, await SampleAsync(client, cancellation));
    }

    private static async Task WriteJsonAsync(CliContext context, SwitchClient client, CancellationToken cancellation) =>
        context.Out.WriteLine(JsonOutput.Message(await SampleAsync(client, cancellation)));

    private static Task<SwitchStatus> SampleAsync(SwitchClient client, CancellationToken cancellation) =>
        client.CallAsync((control, options) => control.GetStatusAsync(new GetStatusRequest(), options), cancellation);
}
