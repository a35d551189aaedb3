using System.CommandLine;
using System.Globalization;
using InterGuest.Cli.Capture;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>`interguest capture`.</summary>
internal static class CaptureCommand
{
    private const string StandardOutputName = "-";

    public static CliCommand Create(CliContext context)
    {
        Argument<string> link = NameCompletion.OfLink(new("LINK") { Description = "The link to look at." }, context);
        var write = new Option<string?>("--write", "-w") { HelpName = "FILE", Description = "Write pcapng to a file, or to standard output: -" };
        Option<uint?> snap = Number("--snaplen", "Bytes to keep of each frame. Default: all.", uint.MaxValue);
        Option<uint?> count = Number("--count", "End after so many frames.", uint.MaxValue);
        var filter = new Option<string>("--filter") { HelpName = "EXPRESSION", Description = "Only frames that match. Default: all.", DefaultValueFactory = _ => "" };
        var command = new CliCommand("capture", "Show the frames of a link as they pass, also those that it drops.")
        {
            Remarks =
            [
                "Without -w each frame is a line. The link does not wait: a capture that",
                "cannot keep up leaves frames out and says how many. Ends with Ctrl-C (exit",
                "code 0), or when the switch goes away or the link is removed (exit code 1).",
                "A filter is made of: ip, ip6, arp, tcp, udp, icmp, icmp6, dropped,",
                "[src|dst] host ADDRESS, [src|dst] net ADDRESS/BITS,",
                "[tcp|udp] [src|dst] port N, ether [src|dst] host MAC; with not, and, or and",
                "parentheses. In pcapng each direction is an interface, and a dropped frame",
                "has a comment with the reason.",
            ],
            Examples =
            [
                "interguest capture lan",
                "interguest capture lan -w - | tcpdump -r -",
                "interguest capture lan -w lan.pcapng --count 1000 --snaplen 128",
                "interguest capture lan --filter icmp",
            ],
        };
        command.Add(link);
        foreach (Option option in new Option[] { write, snap, count, filter })
            command.Add(option);
        command.SetAction(async (result, cancellation) =>
        {
            var request = new CaptureRequest
            {
                Link = result.GetRequiredValue(link),
                SnapLength = result.GetValue(snap) ?? 0,
                Count = result.GetValue(count) ?? 0,
                Filter = result.GetValue(filter)!,
            };
            using SwitchClient client = GlobalOptions.Connect(result, context);
            await RunAsync(context, client, request, result.GetValue(write), GlobalOptions.IsJson(result), cancellation);
            return ExitCodes.Success;
        });
        return command;
    }

    private static Option<uint?> Number(string name, string description, uint most) => ParsedOption.Create<uint?>(name, "N", description,
        text => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number > 0 ? number : null,
        $"a number from 1 to {most}");

    private static async Task RunAsync(
        CliContext context, SwitchClient client, CaptureRequest request, string? path, bool json, CancellationToken cancellation)
    {
        if (path == null)
        {
            await TakeAsync(context, client, request, new LineSink(context, json), json, cancellation);
            return;
        }
        if (json)
            throw CliException.Usage("--json is for lines, which -w does not write: use one of them");
        if (path == StandardOutputName && context.Screen.IsTerminal)
            throw CliException.Usage("pcapng is not for a terminal", "Give a file, or a program that reads it: -w - | tcpdump -r -");
        await using Stream output = path == StandardOutputName ? context.OpenBinary() : Create(path);
        using var sink = new PcapngSink(output, "interguest");
        await TakeAsync(context, client, request, sink, json, cancellation);
    }

    private static FileStream Create(string path)
    {
        try
        {
            return File.Create(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CliException.Refused("INTERNAL", $"cannot write {path}: {e.Message}", cause: e);
        }
    }

    private static async Task TakeAsync(
        CliContext context, SwitchClient client, CaptureRequest request, ICaptureSink sink, bool json, CancellationToken cancellation)
    {
        ulong frames = 0, shed = 0;
        try
        {
            await foreach (CaptureBatch batch in client.CaptureAsync(request, cancellation))
            {
                sink.Take(batch);
                (frames, shed) = (frames + (ulong)batch.Frames.Count, batch.Shed);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Ctrl-C is how a capture ends.
        }
        if (!json)
            context.Error.WriteLine(shed == 0 ? $"{Units.Number(frames)} frames captured"
                : $"{Units.Number(frames)} frames captured, {Units.Number(shed)} left out because this reader was too slow");
    }
}
