using System.CommandLine;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest link replug`.</summary>
internal static class LinkReplugCommand
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    public static CliCommand Create(CliContext context)
    {
        Argument<string> name = NameCompletion.OfLink(new Argument<string>("NAME") { Description = "The link's name." }, context);
        var command = new CliCommand("replug",
            "Plug the devices of a link's guests out and in again, without the features that the other end refused. "
            + "The guest loses what it had configured on the device. Prints each step; exit status 1 if it was given up.")
        {
            Examples = ["interguest link replug lan"],
        };
        command.Add(name);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            string link = result.GetRequiredValue(name);
            Link now = await client.CallAsync((c, o) => c.ReplugLinkAsync(new ReplugLinkRequest { Name = link }, o), cancellation);
            bool json = GlobalOptions.IsJson(result);
            var told = new Dictionary<string, string>();
            while (true)
            {
                if (!json)
                    Tell(context, now, told);
                if (now.Replugs.All(r => r.State != ReplugState.Running))
                    break;
                await Task.Delay(LookEvery, cancellation);
                now = await client.CallAsync((c, o) => c.GetLinkAsync(new GetLinkRequest { Name = link }, o), cancellation);
            }
            if (json)
                Answer.Write(context, result, now, _ => { });
            if (now.Replugs.FirstOrDefault(r => r.State == ReplugState.Failed) is { } failed)
                throw CliException.Refused("ABORTED", $"port {failed.Port}: {failed.Text}");
        });
        return command;
    }

    private static void Tell(CliContext context, Link link, Dictionary<string, string> told)
    {
        foreach (Replug replug in link.Replugs.Where(r => told.GetValueOrDefault(r.Port) != r.Text && r.State != ReplugState.Failed))
        {
            told[replug.Port] = replug.Text;
            context.Screen.WriteLine(Words.Clean($"port {replug.Port}: {replug.Text}"));
        }
    }
}
