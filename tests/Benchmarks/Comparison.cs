using System.Globalization;
using System.Text;

namespace InterGuest.Benchmarks;

/// <summary>The lines of two switches under the same load, as net/measure.sh writes them, side by side.</summary>
internal static class Comparison
{
    /// <summary>Prints the table and writes the picture.</summary>
    /// <param name="raw">Lines: A or B, then the columns of net/measure.sh -T.</param>
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
               select new Row(
                   g.Key.Traffic, g.Key.Mode, g.Key.Bytes, g.Key.Placement,
                   [.. g.Where(l => !l.IsOurs)], [.. g.Where(l => l.IsOurs)]) into row
               where row.A.Length > 0 && row.B.Length > 0
               select row,
        ];
        Console.WriteLine("| traffic | rings | bytes | CPUs | runs A/B | A, Mpps | B, Mpps | B, Gbit/s | B/A | spread A/B | lost A/B |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var row in rows)
            Console.WriteLine(row);
        int mixed = lines.Count(l => l.Placement == "mixed");
        if (mixed > 0)
            Console.WriteLine($"\n{mixed} of {lines.Count} runs are left out: the CPUs came to share a cache, or no longer did, while they ran.");
        File.WriteAllText(picture, Picture(rows));
        return rows.Length > 0;
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
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

    private sealed record Line(bool IsOurs, int Bytes, string Mode, string Traffic, string Placement, double Rate, double Gigabits, long Lost)
    {
        // size mode traffic core rtt run pps gbps ns gen% gns sw% idle% wait% lost
        public static Line Parse(string text)
        {
            string[] f = text.Split('\t');
            double Number(int i) => double.Parse(f[i], CultureInfo.InvariantCulture);
            return new Line(f[0] == "B", (int)Number(1), f[2], f[3], f[4], Number(7), Number(8), f[15] == "-" ? 0 : (long)Number(15));
        }
    }

    private sealed record Row(string Traffic, string Mode, int Bytes, string Placement, Line[] A, Line[] B)
    {
        public double Ratio => Median(B.Select(l => l.Rate)) / Median(A.Select(l => l.Rate));

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"| {Traffic} | {Mode} | {Bytes} | {Placement} | {A.Length}/{B.Length} | {Median(A.Select(l => l.Rate)) / 1e6:0.00} | {Median(B.Select(l => l.Rate)) / 1e6:0.00} "
            + $"| {Median(B.Select(l => l.Gigabits)):0.0} | **{Ratio:0.00}** | {Spread(A):0} %/{Spread(B):0} % | {A.Sum(l => l.Lost)}/{B.Sum(l => l.Lost)} |");

        private static double Spread(Line[] lines) => 100 * (lines.Max(l => l.Rate) - lines.Min(l => l.Rate)) / Median(lines.Select(l => l.Rate));
    }
}
