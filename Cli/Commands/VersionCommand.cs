using System.CommandLine;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest version`: this program's and, if it answers at once, the switch's.</summary>
internal static class VersionCommand
{
    public static CliCommand Create(CliContext context)
    {
        var command = new CliCommand("version",
            "Show the versions of this program and of the switch.")
        {
            Remarks = ["Succeeds without a switch, too."],
            Examples =
            [
                "interguest version",
                "interguest version --json                # {\"client\": ..., \"switch\": ...}",
            ],
        };
        command.SetAction((result, cancellation) => RunAsync(context, result, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(CliContext context, ParseResult result, CancellationToken cancellation)
    {
        (string? version, string remark) = await AskAsync(context, result, cancellation);
        if (GlobalOptions.IsJson(result))
        {
            context.Out.WriteLine(JsonOutput.Object(indented: true, writer =>
            {
                writer.WriteString("client", VersionAction.Version);
                writer.WriteString("switch", version);
            }));
            return ExitCodes.Success;
        }
        context.Out.WriteLine($"interguest {VersionAction.Version}");
        context.Out.WriteLine(Words.Clean(remark));
        return ExitCodes.Success;
    }

    private static async Task<(string? Version, string Remark)> AskAsync(
        CliContext context, ParseResult result, CancellationToken cancellation)
    {
        try
        {
            using SwitchClient client = GlobalOptions.Connect(result, context);
            SwitchStatus status = await client.CallAsync(
                (control, options) => control.GetStatusAsync(new GetStatusRequest(), options),
                context.QuickDeadline, cancellation);
            string version = status.Switch?.Version ?? "";
            return (version, $"switch {version} at {GlobalOptions.EndpointOf(result, context)}");
        }
        catch (CliException e) when (e.ExitCode == ExitCodes.Refused)
        {
            return (null, $"switch unknown: {e.Message}");
        }
    }
}
