using InterGuest.Protos.V1;
using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>The answer to `link list`.</summary>
internal static class LinkTable
{
    public static void Write(Screen screen, IReadOnlyCollection<Link> links)
    {
        if (links.Count == 0)
        {
            screen.WriteLine("No links. Add one: interguest link add NAME PORT PORT");
            return;
        }
        Table table = Tables.Of("~NAME", "STATE", "~PORTS", "HOLD", "~REASON");
        foreach (Link link in links)
        {
            (string state, Style style) = Words.Of(link.State);
            table.AddRow(Tables.Cell(link.Name), Tables.Cell(state, style), Tables.Cell(Ends(link)),
                Tables.Cell(Units.Duration(link.Hold)), Tables.Cell(Words.OrDash(link.Reason)));
        }
        screen.Write(table);
    }

    public static string Ends(Link link) => string.Join(" - ", link.Ports);
}
