using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace InterGuest.Agent.Commands;

/// <summary>Options whose value has a range; a wrong one is answered in a sentence.</summary>
internal static class NumberOption
{
    private static readonly (string Unit, double Seconds)[] Units = [("us", 1e-6), ("ms", 1e-3), ("s", 1)];

    /// <summary>A whole number.</summary>
    public static Option<long> Whole(string name, string helpName, string description, long standard, long min, long max) => new(name)
    {
        HelpName = helpName,
        Description = description,
        DefaultValueFactory = _ => standard,
        CustomParser = r => long.TryParse(Text(r), NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= min && value <= max
            ? value
            : Wrong<long>(r, name, $"a whole number from {min} to {max}"),
    };

    /// <summary>Entries of a queue (VIRTIO 1.2, 2.7: a power of two).</summary>
    public static Option<long> QueueSize() => new("--queue")
    {
        HelpName = "N",
        Description = "Entries of the queues: a power of two",
        DefaultValueFactory = _ => 256,
        CustomParser = r => long.TryParse(Text(r), NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value is >= 2 and <= 1024 && long.IsPow2(value)
            ? value
            : Wrong<long>(r, "--queue", "a power of two from 2 to 1024"),
    };

    /// <summary>A duration: 500ms, 2s, 1.5s, 250us, 0.</summary>
    public static Option<TimeSpan> Duration(string name, string description, string standard) => new(name)
    {
        HelpName = "DURATION",
        Description = $"{description}: 250us, 500ms, 2s, 0. Default: {standard}",
        DefaultValueFactory = _ => Parse(standard)!.Value,
        CustomParser = r => Parse(Text(r)) ?? Wrong<TimeSpan>(r, name, "a duration such as 250us, 500ms, 2s or 0"),
    };

    /// <summary>A flag.</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    private static string Text(ArgumentResult result) => result.Tokens.Count > 0 ? result.Tokens[0].Value : "";

    private static TimeSpan? Parse(string text)
    {
        if (text == "0")
            return TimeSpan.Zero;
        foreach (var (unit, seconds) in Units)
            if (text.EndsWith(unit, StringComparison.Ordinal)
                && double.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number * seconds < 1e9)
                return TimeSpan.FromSeconds(number * seconds);
        return null;
    }

    private static T Wrong<T>(ArgumentResult result, string name, string rule)
        where T : struct
    {
        result.AddError($"{name}: '{Text(result)}' is not {rule}");
        return default;
    }
}
