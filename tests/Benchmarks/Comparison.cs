using System.Globalization;
using System.Text;

namespace InterGuest.Benchmarks;

/// <summary>The lines of two switches under the same load, in turns, as run.sh gathers them from net/measure.sh, side by side.</summary>
internal static class Comparison
{
    /// <summary>Prints the table and writes the picture.</summary>
    /// <param name="raw">Lines: the round, then the columns of net/measure.sh.</param>
    /// <param name="picture">Where to write it, as SVG.</param>
    /// <returns>Whether any row could be compared.</returns>
    public static bool Run(string raw, string picture)
    {
        var lines = File.ReadLines(raw).Where(l => l.Length > 0).Select(Line.Parse).ToList();
        Row[] rows =
        [
            .. from line in lines
               where line.Placement != "mixed" && line.Rate > 0
               group line by (line.Traffic, line.Mode, line.Bytes, line.Placement) into g
               orderby g.Key.Traffic, g.Key.Mode descending, g.Key.Bytes, g.Key.Placement descending
               let turns = (from a in g
                            where !a.IsOurs
                            join b in g.Where(l => l.IsOurs) on (a.Round, a.Turn) equals (b.Round, b.Turn)
                            select (A: a, B: b)).ToArray()
               where turns.Length > 0
               select new Row(g.Key.Traffic, g.Key.Mode, g.Key.Bytes, g.Key.Placement, turns),
        ];
        Console.WriteLine("| traffic | rings | bytes | CPUs | turns (rounds) | A, Mpps | B, Mpps | B, Gbit/s | B/A | half of B/A lie in | guests busy A/B | lost A/B |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var row in rows)
            Console.WriteLine(row);
        int mixed = lines.Count(l => l.Placement == "mixed");
        if (mixed > 0)
            Console.WriteLine($"\n{mixed} of {lines.Count} turns are left out: the CPUs came to share a cache, or no longer did, meanwhile.");
        File.WriteAllText(picture, Picture(rows));
        return rows.Length > 0;
    }

    private static double Median(IEnumerable<double> values) => Quantile(values, 0.5);

    private static double Quantile(IEnumerable<double> values, double part)
    {
        double[] sorted = [.. values.Order()];
        double at = part * (sorted.Length - 1);
        var (below, above) = (sorted[(int)Math.Floor(at)], sorted[(int)Math.Ceiling(at)]);
        return below + (above - below) * (at - Math.Floor(at));
    }

    private static string Picture(Row[] rows)
    {
        const int bar = 14, left = 230, width = 420, top = 34;
        double most = Math.Max(2, rows.Select(r => r.Ratio).DefaultIfEmpty(1).Max());
        int height = top + rows.Length * (bar + 4) + 10;
        double X(double ratio) => left + ratio / most * width;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{left + width + 60}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"8\" y=\"16\" font-size=\"13\">Packets per second, as a multiple of DPDK's switch (line: equal)</text>\n");
        for (int i = 0; i < rows.Length; i++)
        {
            var row = rows[i];
            int y = top + i * (bar + 4);
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"8\" y=\"{y + 11}\">{row.Traffic} {row.Mode} {row.Bytes} B {row.Placement}</text>");
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{left}\" y=\"{y}\" width=\"{X(row.Ratio) - left:0.0}\" height=\"{bar}\" fill=\"{(row.Ratio >= 1 ? "#2a7f62" : "#b5651d")}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(row.Ratio) + 4:0.0}\" y=\"{y + 11}\">{row.Ratio:0.00}</text>\n");
        }
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{X(1):0.0}\" x2=\"{X(1):0.0}\" y1=\"{top - 4}\" y2=\"{height - 8}\" stroke=\"black\"/>\n</svg>\n");
        return svg.ToString();
    }

    private sealed record Line(
        int Round, bool IsOurs, int Bytes, string Mode, string Traffic, string Placement, int Turn, double Rate, double Gigabits, double Busy, long Lost)
    {
        // round switch size mode traffic core rtt turn pps gbps ns gen% gns sw% idle% wait% lost
        public static Line Parse(string text)
        {
            string[] f = text.Split('\t');
            double Number(int i) => double.Parse(f[i], CultureInfo.InvariantCulture);
            return new Line(
                (int)Number(0), f[1] == "B", (int)Number(2), f[3], f[4], f[5], (int)Number(7), Number(8), Number(9),
                f[11] == "-" ? double.NaN : Number(11), f[16] == "-" ? 0 : (long)Number(16));
        }
    }

    private sealed record Row(string Traffic, string Mode, int Bytes, string Placement, (Line A, Line B)[] Turns)
    {
        public double Ratio => Median(Ratios);

        private IEnumerable<double> Ratios => Turns.Select(t => t.B.Rate / t.A.Rate);

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"| {Traffic} | {Mode} | {Bytes} | {Placement} | {Turns.Length} ({Turns.Select(t => t.A.Round).Distinct().Count()}) "
            + $"| {Median(Turns.Select(t => t.A.Rate)) / 1e6:0.00} | {Median(Turns.Select(t => t.B.Rate)) / 1e6:0.00} | {Median(Turns.Select(t => t.B.Gigabits)):0.0} "
            + $"| **{Ratio:0.00}** | {Quantile(Ratios, 0.25):0.00} to {Quantile(Ratios, 0.75):0.00} | {Busy(t => t.A)}/{Busy(t => t.B)} "
            + $"| {Turns.Sum(t => t.A.Lost)}/{Turns.Sum(t => t.B.Lost)} |");

        // The generator's own cost is taken before the turns: where it is the limit, noise can take it beyond 100 %.
        private string Busy(Func<(Line A, Line B), Line> side)
        {
            double[] known = [.. Turns.Select(t => side(t).Busy).Where(b => !double.IsNaN(b))];
            return known.Length == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{Math.Min(100, Median(known)):0} %");
        }
    }
}
