namespace InterGuest.Cli.Output;

/// <summary>A row of bars, one for each value.</summary>
internal static class Sparkline
{
    private const string Bars = "▁▂▃▄▅▆▇█";

    /// <summary>Bars from 0 to the largest value; a blank where nothing is known, as wide as asked for.</summary>
    public static string Of(IReadOnlyCollection<double?> values, int width)
    {
        double most = values.Max() ?? 0;
        return string.Concat(values.TakeLast(width).Select(value => Bar(value, most))).PadLeft(width);
    }

    // Anything above nothing is seen to be more than nothing.
    private static char Bar(double? value, double most) => value switch
    {
        null => ' ',
        0 => Bars[0],
        _ => Bars[Math.Clamp((int)Math.Ceiling(value.Value / most * (Bars.Length - 1)), 1, Bars.Length - 1)],
    };
}
