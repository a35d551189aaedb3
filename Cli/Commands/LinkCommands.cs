using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest link ...`.</summary>
internal static class LinkCommands
{
    public static CliCommand Create(CliContext context)
    {
        var command = new CliCommand("link", "Links: each joins two ports.")
        {
            Examples = ["interguest link add lan a b", "interguest link list", "interguest link down lan"],
        };
        command.Add(LinkAddCommand.Create(context));
        command.Add(List(context));
        command.Add(Show(context));
        command.Add(SetUp(context, up: true));
        command.Add(SetUp(context, up: false));
        command.Add(Move(context));
        command.Add(LinkReplugCommand.Create(context));
        command.Add(Remove(context));
        return command;
    }

    private static CliCommand List(CliContext context)
    {
        var command = new CliCommand("list", "List the links: state, ports, hold, and why a link is not up.")
        {
            Examples = ["interguest link list", "interguest link list --json | jq -r '.links[].name'"],
        };
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            ListLinksResponse response =
                await client.CallAsync((c, o) => c.ListLinksAsync(new ListLinksRequest(), o), cancellation);
            Answer.Write(context, result, response, r => LinkTable.Write(context.Screen, r.Links));
        });
        return command;
    }

    private static CliCommand Show(CliContext context)
    {
        Argument<string> name = Existing(context);
        var command = new CliCommand("show", "Show all about a link: state, warnings, traffic and drops each way.")
        {
            Examples = ["interguest link show lan", "interguest link show lan --json | jq -r .state"],
        };
        command.Add(name);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new GetLinkRequest { Name = result.GetRequiredValue(name) };
            Link link = await client.CallAsync((c, o) => c.GetLinkAsync(request, o), cancellation);
            Answer.Write(context, result, link, l => LinkDetails.Write(context, l));
        });
        return command;
    }

    private static CliCommand SetUp(CliContext context, bool up)
    {
        Argument<string> name = Existing(context);
        string word = up ? "up" : "down";
        var command = new CliCommand(word, up
            ? "Set a link up: frames flow as soon as both ports run."
            : "Set a link down: frames are dropped and counted, the guests keep running.")
        {
            Examples = [$"interguest link {word} lan"],
        };
        command.Add(name);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new SetLinkUpRequest { Name = result.GetRequiredValue(name), Up = up };
            Link link = await client.CallAsync((c, o) => c.SetLinkUpAsync(request, o), cancellation);
            Answer.Write(context, result, link, l => LinkDetails.WriteOutcome(context, l));
        });
        return command;
    }

    private static CliCommand Move(CliContext context)
    {
        Argument<string> name = Existing(context);
        var loop = new Argument<uint>("LOOP") { Description = "The thread's number, from 0: 'interguest status' shows what each of them has to do." };
        var command = new CliCommand("move", "Give a link to another of the switch's threads, under traffic if need be; a server's other links go with it.")
        {
            Examples = ["interguest link move lan 1"],
        };
        command.Add(name);
        command.Add(loop);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new MoveLinkRequest { Name = result.GetRequiredValue(name), Loop = result.GetRequiredValue(loop) };
            Link link = await client.CallAsync((c, o) => c.MoveLinkAsync(request, o), cancellation);
            Answer.Write(context, result, link, l => LinkDetails.WriteOutcome(context, l));
        });
        return command;
    }

    private static CliCommand Remove(CliContext context)
    {
        Argument<string> name = Existing(context);
        var command = new CliCommand("remove", "Remove a link. Its ports stay.")
        {
            Examples = ["interguest link remove lan"],
        };
        command.Add(name);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new DeleteLinkRequest { Name = result.GetRequiredValue(name) };
            Empty done = await client.CallAsync((c, o) => c.DeleteLinkAsync(request, o), cancellation);
            Answer.Write(context, result, done, _ => { });
        });
        return command;
    }

    private static Argument<string> Existing(CliContext context) =>
        NameCompletion.OfLink(new Argument<string>("NAME") { Description = "The link's name." }, context);
}
