using InterGuest.Protos.V1;
using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>The answer to `port list`.</summary>
internal static class PortTable
{
    public static void Write(Screen screen, IReadOnlyCollection<Port> ports)
    {
        if (ports.Count == 0)
        {
            screen.WriteLine("No ports. Add one: interguest port add NAME");
            return;
        }
        Table table = Tables.Of("~NAME", "TYPE", "STATE", "~LINK", "QUEUES", "~SOCKET");
        foreach (Port port in ports)
        {
            (string state, Style style) = Words.Of(port.State);
            table.AddRow(Tables.Cell(port.Name), Tables.Cell(Words.Of(port.Type)), Tables.Cell(state, style),
                Tables.Cell(Words.OrDash(port.Link)), Tables.Cell(Queues(port)), Tables.Cell(port.SocketPath));
        }
        screen.Write(table);
    }

    /// <summary>Pairs that run, of those offered.</summary>
    public static string Queues(Port port) => $"{port.RunningQueuePairs}/{port.QueuePairs}";
}
