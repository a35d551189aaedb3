using Google.Protobuf.Collections;
using InterGuest.Protos.V1;
using Spectre.Console;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Output;

/// <summary>The answer to `status`: the whole picture, in sections.</summary>
internal static class StatusReport
{
    public static void Write(CliContext context, SwitchStatus? before, SwitchStatus now)
    {
        Screen screen = context.Screen;
        var rates = new Rates(before, now);
        WriteSwitch(screen, now.Switch ?? new SwitchInfo());
        WriteLoops(screen, now.Switch, rates);
        screen.WriteLine();
        if (now.Ports.Count == 0)
            PortTable.Write(screen, now.Ports);
        else
            screen.Write(Ports(context, now, rates));
        screen.WriteLine();
        if (now.Links.Count == 0)
            LinkTable.Write(screen, now.Links);
        else
            screen.Write(Links(now, rates));
        WriteRemarks(screen, now);
        WriteCounts(screen, now);
    }

    private static void WriteSwitch(Screen screen, SwitchInfo info)
    {
        string loops = info.EventLoops == 1 ? "1 event loop" : $"{info.EventLoops} event loops";
        screen.WriteLine(Words.Clean(
            $"Switch {info.Version}, process {info.Pid}, up {Units.Duration(Whole(info))}, {loops}"));
        screen.WriteLine(Words.Clean($"Sockets in {Words.OrDash(info.SocketDirectory)}"));
    }

    private static void WriteLoops(Screen screen, SwitchInfo? info, Rates rates)
    {
        foreach (var (i, loop) in (info?.Loops ?? []).Index())
        {
            string cpu = loop.HasCpu ? $" on CPU {loop.Cpu}" : "", links = loop.Links == 1 ? "1 link" : $"{loop.Links} links";
            screen.WriteLine(Words.Clean($"Loop {i}{cpu}: {links}, busy {Units.Percent(rates.Busy(i))}"));
        }
    }

    private static TimeSpan Whole(SwitchInfo info) =>
        TimeSpan.FromSeconds(Math.Floor(Units.Span(info.Uptime).TotalSeconds));

    private static Table Ports(CliContext context, SwitchStatus now, Rates rates)
    {
        Table table = Tables.Of("~PORT", "STATE", "SINCE", "QUEUES", "~LINK", "FROM GUEST", "TO GUEST");
        DateTimeOffset time = context.Clock.GetUtcNow();
        foreach (Port port in now.Ports)
        {
            (string state, Style style) = Words.Of(port.State);
            table.AddRow(Tables.Cell(port.Name), Tables.Cell(state, style),
                Tables.Cell(Units.Age(port.StateSince, time)), Tables.Cell(PortTable.Queues(port)),
                Tables.Cell(Words.OrDash(port.Link)),
                Tables.Cell(Units.BitsPerSecond(rates.SentBits(port))),
                Tables.Cell(Units.BitsPerSecond(rates.ReceivedBits(port))));
        }
        return table;
    }

    private static Table Links(SwitchStatus now, Rates rates)
    {
        Table table = Tables.Of("~LINK", "STATE", "~DIRECTION", "RATE", "FRAMES/S", "FRAMES", "DROPPED");
        foreach (Link link in now.Links)
        {
            (string state, Style style) = Words.Of(link.State);
            foreach (LinkDirection direction in DirectionsOf(link))
            {
                ulong dropped = direction.Drops.Aggregate(0UL, (sum, drop) => sum + drop.Count);
                table.AddRow(Tables.Cell(link.Name), Tables.Cell(state, style),
                    Tables.Cell(LinkDetails.Arrow(direction)),
                    Tables.Cell(Units.BitsPerSecond(rates.Bits(link, direction))),
                    Tables.Cell(Units.Count(rates.Frames(link, direction))),
                    Tables.Cell(Units.Count(direction.Frames)), Tables.Cell(dropped));
            }
        }
        return table;
    }

    // A link always has a row, whatever the switch says of it.
    private static RepeatedField<LinkDirection> DirectionsOf(Link link) => link.Directions.Count > 0
        ? link.Directions
        : [new LinkDirection { From = link.Ports.FirstOrDefault("-"), To = link.Ports.LastOrDefault("-") }];

    // What a person should read: why something does not run.
    private static void WriteRemarks(Screen screen, SwitchStatus now)
    {
        var lines = new KeyValues();
        foreach (Port port in now.Ports)
            lines.Add($"Port {port.Name}", port.Fault, Words.Failure);
        foreach (Link link in now.Links)
            lines.Add($"Link {link.Name}", link.Warnings.Prepend(link.Reason), Words.Warning);
        if (lines.IsEmpty)
            return;
        screen.WriteLine();
        lines.WriteTo(screen);
    }

    private static void WriteCounts(Screen screen, SwitchStatus now)
    {
        Table table = Tables.Of("~PORT", "COUNT", "WHAT", "~REASON");
        foreach (Port port in now.Ports)
        {
            AddCounts(table, port, "frames dropped", port.Counters?.Drops, Words.Warning);
            AddCounts(table, port, "faults", port.Counters?.Faults, Words.Failure);
            AddCounts(table, port, "bad messages", port.Counters?.MessageFaults, Words.Failure);
        }
        screen.WriteLine();
        if (table.Rows.Count == 0)
            screen.WriteLine("No frames dropped, no faults.");
        else
            screen.Write(table);
    }

    private static void AddCounts(Table table, Port port, string what, IEnumerable<ReasonCount>? counts, Style style)
    {
        foreach (ReasonCount count in counts ?? [])
            if (count.Count > 0)
                table.AddRow(Tables.Cell(port.Name), Tables.Cell(count.Count), Tables.Cell(what),
                    Tables.Cell(count.Reason, style));
    }
}
