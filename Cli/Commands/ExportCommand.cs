using InterGuest.Protos.V1;
using InterGuest.TopologyFiles;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest export`.</summary>
internal static class ExportCommand
{
    public static CliCommand Create(CliContext context)
    {
        var command = new CliCommand("export", "Print all ports and links as a file for 'interguest apply'.")
        {
            Remarks = ["What is as it would be anyway is left out."],
            Examples = ["interguest export > lan.yaml"],
        };
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            Topology topology = await client.CallAsync((c, o) => c.ExportAsync(new ExportRequest(), o), cancellation);
            Answer.Write(context, result, topology, t => context.Out.Write(TopologyWriter.Write(t)));
        });
        return command;
    }
}
