using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest port ...`.</summary>
internal static class PortCommands
{
    public static CliCommand Create(CliContext context)
    {
        var command = new CliCommand("port", "Ports: the sockets to which guests attach their devices.")
        {
            Examples = ["interguest port add a", "interguest port show a", "interguest port remove a"],
        };
        command.Add(Add(context));
        command.Add(List(context));
        command.Add(Show(context));
        command.Add(PortSetCommand.Create(context));
        command.Add(Remove(context));
        return command;
    }

    private static CliCommand Add(CliContext context)
    {
        var name = new Argument<string>("NAME") { Description = "The port's name: letters, digits, '-', '_' and '.'." };
        var options = new PortOptions();
        var command = new CliCommand("add", "Add a port and print its socket's path.")
        {
            Examples =
            [
                "interguest port add a",
                "SOCKET=$(interguest port add b --queues 4)",
                "interguest port add c --socket /run/vm/c.sock --mode connect   # QEMU listens",
            ],
        };
        command.Add(name);
        options.AddTo(command);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            CreatePortRequest request = options.Request(result, context);
            request.Name = result.GetRequiredValue(name);
            Port port = await client.CallAsync((c, o) => c.CreatePortAsync(request, o), cancellation);
            Answer.Write(context, result, port, p => context.Out.WriteLine(p.SocketPath));
        });
        return command;
    }

    private static CliCommand List(CliContext context)
    {
        var command = new CliCommand("list", "List the ports: state, link, queue pairs running and offered, socket.")
        {
            Examples = ["interguest port list", "interguest port list --json | jq -r '.ports[].name'"],
        };
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            ListPortsResponse response =
                await client.CallAsync((c, o) => c.ListPortsAsync(new ListPortsRequest(), o), cancellation);
            Answer.Write(context, result, response, r => PortTable.Write(context.Screen, r.Ports));
        });
        return command;
    }

    private static CliCommand Show(CliContext context)
    {
        Argument<string> name = Existing(context);
        var command = new CliCommand("show", "Show all about a port: state, fault, features by name, traffic, drops.")
        {
            Examples = ["interguest port show a", "interguest port show a --json | jq -r .state"],
        };
        command.Add(name);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new GetPortRequest { Name = result.GetRequiredValue(name) };
            Port port = await client.CallAsync((c, o) => c.GetPortAsync(request, o), cancellation);
            Answer.Write(context, result, port, p => PortDetails.Write(context, p));
        });
        return command;
    }

    private static CliCommand Remove(CliContext context)
    {
        Argument<string> name = Existing(context);
        var command = new CliCommand("remove",
            "Remove a port. A guest on it sees its cable pulled. A port that is linked is not removed.")
        {
            Examples = ["interguest port remove a"],
        };
        command.Add(name);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            var request = new DeletePortRequest { Name = result.GetRequiredValue(name) };
            Empty done = await client.CallAsync((c, o) => c.DeletePortAsync(request, o), cancellation);
            Answer.Write(context, result, done, _ => { });
        });
        return command;
    }

    private static Argument<string> Existing(CliContext context) =>
        NameCompletion.OfPort(new Argument<string>("NAME") { Description = "The port's name." }, context);
}
