using System.CommandLine;
using System.Text;
using Grpc.Core;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;
using InterGuest.TopologyFiles;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest apply`.</summary>
internal static class ApplyCommand
{
    private const string StandardInput = "-";

    public static CliCommand Create(CliContext context)
    {
        var file = new Argument<string>("FILE") { Description = "A topology in YAML; - for standard input." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Change nothing; print what would be changed." };
        var prune = new Option<bool>("--prune")
        {
            Description = "Remove ports and links that the file does not have. Without it they stay.",
        };
        var command = new CliCommand("apply", "Make ports and links be as a file says.")
        {
            Remarks =
            [
                "Applied twice, the second time changes nothing. What can be changed as it",
                "runs is ('~'); what cannot is removed and made again ('!'), and its guest",
                "must connect again. 'interguest export' writes such a file:",
                "  ports:",
                "    a:",
                "    b: {queue_pairs: 4, mode: connect, socket_path: /run/vm/b.sock}",
                "  links:",
                "    lan: {ports: [a, b], hold: 2s}",
            ],
            Examples =
            [
                "interguest apply lan.yaml --dry-run      # what would it do?",
                "interguest apply lan.yaml",
                "interguest apply lan.yaml --prune        # and nothing but that",
            ],
        };
        command.Add(file);
        command.Add(dryRun);
        command.Add(prune);
        command.OnSwitch(context, async (result, client, cancellation) =>
        {
            bool dry = result.GetValue(dryRun);
            TopologyFile topology = await ReadAsync(result.GetRequiredValue(file), context, cancellation);
            var request = new ApplyRequest { Topology = topology.Topology, DryRun = dry, Prune = result.GetValue(prune) };
            ApplyResponse response = await ApplyAsync(client, request, topology, cancellation);
            Answer.Write(context, result, response, r => ChangeList.Write(context, r, dry));
        });
        return command;
    }

    private static async Task<TopologyFile> ReadAsync(string path, CliContext context, CancellationToken cancellation)
    {
        try
        {
            return path == StandardInput
                ? TopologyFile.Parse(await context.In.ReadToEndAsync(cancellation), "standard input")
                : TopologyFile.Load(path);
        }
        catch (TopologyFileException e)
        {
            throw CliException.Refused("INVALID_ARGUMENT", e.Message, cause: e);
        }
    }

    private static async Task<ApplyResponse> ApplyAsync(
        SwitchClient client, ApplyRequest request, TopologyFile file, CancellationToken cancellation)
    {
        try
        {
            return await client.CallAsync((c, o) => c.ApplyAsync(request, o), cancellation);
        }
        // The switch knows what is wrong, and we where that is written.
        catch (CliException e) when (e.InnerException is RpcException { Trailers: { } trailers }
            && trailers.GetValueBytes("interguest-subject-bin") is { } subject)
        {
            throw CliException.Refused(e.Code, file.Locate(Encoding.UTF8.GetString(subject), e.Message), e.Remedy, e);
        }
    }
}
