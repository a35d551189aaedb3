using System.CommandLine;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest port set`: what may be changed of a port that is in use.</summary>
internal static class PortSetCommand
{
    public static CliCommand Create(CliContext context)
    {
        Argument<string> name = NameCompletion.OfPort(new Argument<string>("NAME") { Description = "The port's name." }, context);
        var qmp = new Option<string>("--qmp")
        {
            Description = "Where the guest's QEMU takes QMP commands, for re-plugs; empty: nowhere.",
            HelpName = "PATH",
            Required = true,
        };
        var command = new CliCommand("set", "Change a port that may be in use.")
        {
            Examples = ["interguest port set a --qmp /run/vm/a.qmp.sock", "interguest port set a --qmp ''"],
        };
        command.Add(name);
        command.Add(qmp);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            string path = PortOptions.Absolute(result.GetRequiredValue(qmp), GlobalOptions.EndpointOf(result, context));
            var request = new SetPortQmpRequest { Name = result.GetRequiredValue(name), QmpSocket = path };
            Port port = await client.CallAsync((c, o) => c.SetPortQmpAsync(request, o), cancellation);
            Answer.Write(context, result, port, _ => { });
        });
        return command;
    }
}
