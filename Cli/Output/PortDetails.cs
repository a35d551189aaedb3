using InterGuest.Protos.V1;
using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>The answer to `port show`.</summary>
internal static class PortDetails
{
    public static void Write(CliContext context, Port port)
    {
        var lines = new KeyValues();
        (string state, Style style) = Words.Of(port.State);
        lines.Add("Name", port.Name);
        lines.Add("Type", Words.Of(port.Type));
        lines.Add("State", $"{state}{Details.Since(port.StateSince, context)}", style);
        lines.Add("Fault", port.Fault, Words.Failure);
        lines.Add("Link", Words.OrDash(port.Link));
        lines.Add("Socket", port.SocketPath);
        lines.Add("For", Access(port));
        lines.Add("Mode", Words.Of(port.Mode));
        lines.Add("QMP", port.QmpSocket);
        lines.Add("Limits", Limits(port));
        if (port.Carrier == Carrier.Follow)
            lines.Add("Carrier", "follows the other end");
        lines.Add("Queue pairs", $"{port.RunningQueuePairs} running of {port.QueuePairs}");
        lines.Add("Front-end", Process(port.FrontEnd) ?? "none");
        if (Process(port.WaitingFrontEnd) is { } waiting)
            lines.Add("Waiting", $"{waiting}: a port serves one front-end at a time", Words.Warning);
        lines.Add("Guest memory", port.MappedBytes > 0 ? $"{Units.Memory(port.MappedBytes)} mapped" : "none mapped");
        if (port.Mtu > 0)
            lines.Add("MTU", Units.Number(port.Mtu));
        if (port.Disk is { } disk)
            lines.Add("Disk", $"{disk.Id}: {Units.Memory(disk.CapacityBytes)}, blocks of {disk.BlockSize}"
                + (disk.ReadOnly ? ", read-only" : "") + (disk.Cached ? ", cached" : ", durable"));
        AddCounters(lines, port.Counters ?? new PortCounters());
        lines.Add("Features", Features(port).DefaultIfEmpty("none offered yet"));
        lines.WriteTo(context.Screen);
    }

    private static string Limits(Port port)
    {
        string rate = port.Rate == 0 ? "" : $"{Units.BitsPerSecond(port.Rate)} in bursts of {Units.Bytes(port.Burst)}, its guest had to wait {Units.Number(port.Counters?.TimesLimited ?? 0)} times";
        string inFlight = port.InFlight == 0 ? "" : $"{Units.Bytes(port.InFlight)} in flight";
        return string.Join("; ", new[] { rate, inFlight }.Where(text => text != ""));
    }

    /// <summary>Who may open the socket, where that was said.</summary>
    private static string Access(Port port) => string.Join(", ",
        new[] { ("user", port.SocketOwner), ("group", port.SocketGroup), ("mode", port.SocketMode == "0660" ? "" : port.SocketMode) }
            .Where(p => p.Item2.Length > 0).Select(p => $"{p.Item1} {p.Item2}"));

    private static string? Process(FrontEnd? frontEnd) =>
        frontEnd == null ? null : $"process {frontEnd.Pid}, user {frontEnd.Uid}";

    private static void AddCounters(KeyValues lines, PortCounters counters)
    {
        lines.Add("From guest", Details.Traffic(counters.TxFrames, counters.TxBytes));
        lines.Add("To guest", Details.Traffic(counters.RxFrames, counters.RxBytes));
        if (counters.Latency is { } latency)
        {
            lines.Add("In flight", $"{Units.Number(counters.RequestsInFlight)} requests");
            lines.Add("Latency", Details.Latency(latency));
        }
        lines.Add("Drops", Details.Reasons(counters.Drops), counters.Drops.Count > 0 ? Words.Warning : null);
        lines.Add("Faults", Details.Reasons(counters.Faults), counters.Faults.Count > 0 ? Words.Failure : null);
        lines.Add("Messages", Details.Reasons(counters.MessageFaults), counters.MessageFaults.Count > 0 ? Words.Failure : null);
        if (counters.LogOutOfRange > 0)
            lines.Add("Dirty log", $"{Units.Number(counters.LogOutOfRange)} writes had no place in it", Words.Failure);
        lines.Add("Notifications",
            $"{Units.Number(counters.Kicks)} from the guest, {Units.Number(counters.Calls)} to it");
        lines.Add("Connections",
            $"{Units.Number(counters.Connections)}, {Units.Number(counters.RefusedMessages)} messages refused");
    }

    // Those accepted first; the names say the rest.
    private static IEnumerable<string> Features(Port port) =>
        port.AcceptedFeatures.Select(name => $"{name} accepted")
            .Concat(port.OfferedFeatures.Except(port.AcceptedFeatures).Select(name => $"{name} offered only"));
}
