using System.CommandLine;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest doctor`.</summary>
internal static class DoctorCommand
{
    public static CliCommand Create(CliContext context)
    {
        Argument<string?> name = NameCompletion.OfPortOrLink(
            new("PORT|LINK") { Description = "What does not work. Default: look at everything.", Arity = ArgumentArity.ZeroOrOne }, context);
        var command = new CliCommand("doctor",
            "Say why a port or link does not work: what is missing, where it stopped, and what to do.")
        {
            Remarks =
            [
                "Of a link its two ports are examined, too. Says what the switch knows, and",
                "calls possible what it cannot know.",
                "Exit code: 0 when frames can flow, 3 when something keeps them from it.",
            ],
            Examples =
            [
                "interguest doctor lan",
                "interguest doctor a --json | jq -r '.findings[].code'",
                "interguest doctor                        # all ports and links",
            ],
        };
        command.Add(name);
        command.SetAction(async (result, cancellation) =>
        {
            using SwitchClient client = GlobalOptions.Connect(result, context);
            var request = new DiagnoseRequest { Name = result.GetValue(name) ?? "" };
            Diagnosis diagnosis = await client.CallAsync((c, o) => c.DiagnoseAsync(request, o), cancellation);
            Answer.Write(context, result, diagnosis, d => DiagnosisReport.Write(context, d));
            return diagnosis.Works ? ExitCodes.Success : ExitCodes.Unwell;
        });
        return command;
    }
}
