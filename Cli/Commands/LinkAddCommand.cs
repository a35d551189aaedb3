using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;
using InterGuest.TopologyFiles;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest link add`.</summary>
internal static class LinkAddCommand
{
    public static CliCommand Create(CliContext context)
    {
        var name = new Argument<string>("NAME") { Description = "The link's name, as a port's." };
        Argument<string> first =
            NameCompletion.OfPort(new("PORT-A") { Description = "A port without a link." }, context);
        Argument<string> second = NameCompletion.OfPort(new("PORT-B") { Description = "Another one." }, context);
        Option<Duration?> hold = Hold();
        Option<string> policy = Policy();
        var command = new CliCommand("add", "Join two ports, which may be in use by running guests.")
        {
            Examples =
            [
                "interguest link add lan a b",
                "interguest link add fast a b --hold 0    # never wait for a receiver",
                "interguest link add safe a b --hold 2s   # wait longer than usual",
                "interguest link add plain a b --policy minimal",
                "interguest link add d1 disk store --on-server-loss error --after 30s",
            ],
        };
        command.Add(name);
        command.Add(first);
        command.Add(second);
        command.Add(hold);
        command.Add(policy);
        Option<string> onLoss = OnServerLoss();
        Option<Duration?> after = After();
        command.Add(onLoss);
        command.Add(after);
        command.Validators.Add(result =>
        {
            if (result.GetValue(onLoss) == "error" != result.GetValue(after) is not null)
                result.AddError("--on-server-loss error and --after go together: say how long requests may wait before they fail.");
        });
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new CreateLinkRequest { Name = result.GetRequiredValue(name), Hold = result.GetValue(hold), FailAfter = result.GetValue(after) };
            if (result.GetValue(policy) is { } word)
                request.Policy = NegotiationDetails.Policies[word];
            request.Ports.Add([result.GetRequiredValue(first), result.GetRequiredValue(second)]);
            Link link = await client.CallAsync((c, o) => c.CreateLinkAsync(request, o), cancellation);
            Answer.Write(context, result, link, l => LinkDetails.WriteOutcome(context, l));
        });
        return command;
    }

    private static Option<string> Policy()
    {
        var policy = new Option<string>("--policy")
        {
            Description = "How features are made to fit that the two guests do not share. auto: in rounds with guests that know them, else "
                + "translated. translate: everything is offered and translated. replug: as auto, and devices are plugged out and in again without "
                + "what does not fit (ports need --qmp). minimal: only what any two guests share is offered. multi-round: rounds, and minimal for "
                + "guests that do not know them. Default: auto.",
            HelpName = string.Join('|', NegotiationDetails.Policies.Keys),
        };
        policy.AcceptOnlyFromAmong([.. NegotiationDetails.Policies.Keys]);
        return policy;
    }

    private static Option<string> OnServerLoss()
    {
        var option = new Option<string>("--on-server-loss")
        {
            Description = "Of a disk's link. hold: requests wait for a server that is away, for as long as it takes. "
                + "error: they fail with an I/O error. Default: hold.",
            HelpName = "hold|error",
        };
        option.AcceptOnlyFromAmong("hold", "error");
        return option;
    }

    private static Option<Duration?> After() => ParsedOption.Create("--after", "DURATION",
        "With --on-server-loss error: how long requests wait before they fail: 30s.",
        DurationText.Parse, "a duration: write 30s or 500ms");

    private static Option<Duration?> Hold() => ParsedOption.Create("--hold", "DURATION",
        "How long frames wait for a receiver without free buffers before they are dropped: 500ms, 2s, 0. "
        + "Default: the switch's, 500ms.",
        DurationText.Parse, "a duration: write 500ms, 2s or 0");
}
