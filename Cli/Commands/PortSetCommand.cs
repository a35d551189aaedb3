using System.CommandLine;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest port set`: what may be changed of a port that is in use.</summary>
internal static class PortSetCommand
{
    public static CliCommand Create(CliContext context)
    {
        Argument<string> name = NameCompletion.OfPort(new Argument<string>("NAME") { Description = "The port's name." }, context);
        var qmp = new Option<string?>("--qmp")
        {
            Description = "Where the guest's QEMU takes QMP commands, for re-plugs; empty: nowhere.",
            HelpName = "PATH",
        };
        var limits = new LimitOptions();
        var carrier = CarrierOption.Create();
        var command = new CliCommand("set", "Change a port that may be in use. What is not said stays as it is.")
        {
            Examples =
            [
                "interguest port set a --rate 100M --burst 256k",
                "interguest port set a --rate 0   # no limit any more",
                "interguest port set a --carrier follow",
                "interguest port set a --qmp /run/vm/a.qmp.sock",
            ],
        };
        command.Add(name);
        limits.AddTo(command);
        command.Add(carrier);
        command.Add(qmp);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            SetPortRequest request = Request(result, limits);
            request.Name = result.GetRequiredValue(name);
            request.Carrier = CarrierOption.Of(result.GetValue(carrier));
            if (result.GetValue(qmp) is { } path)
                request.QmpSocket = PortOptions.Absolute(path, GlobalOptions.EndpointOf(result, context));
            Port port = await client.CallAsync((c, o) => c.SetPortAsync(request, o), cancellation);
            Answer.Write(context, result, port, _ => { });
        });
        command.Validators.Add(result =>
        {
            if (command.Options.All(o => o.Recursive || result.GetResult(o) is null or { Implicit: true }))
                result.AddError("nothing is to be set: name an option, as in --rate 100M");
        });
        return command;
    }

    private static SetPortRequest Request(ParseResult result, LimitOptions limits)
    {
        var request = new SetPortRequest();
        if (limits.Rate(result) is { } rate)
            request.Rate = rate;
        if (limits.Burst(result) is { } burst)
            request.Burst = burst;
        if (limits.InFlight(result) is { } inFlight)
            request.InFlight = inFlight;
        return request;
    }
}
