using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace InterGuest.TopologyFiles;

/// <summary>Durations as people write them: 500ms, 2s, 1.5s, 250us, 0.</summary>
public static class DurationText
{
    // Whole ones first: "ms" ends with "s".
    private static readonly (string Unit, decimal Nanoseconds)[] Units =
        [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

    /// <summary>Null when it is none. Its size is the switch's to judge.</summary>
    public static Duration? Parse(string text)
    {
        if (text == "0")
            return new Duration();
        foreach ((string unit, decimal nanoseconds) in Units)
            if (text.EndsWith(unit, StringComparison.Ordinal) && Number(text[..^unit.Length]) is { } number)
                return Of(number, nanoseconds);
        return null;
    }

    /// <summary>As short as it still says all: the largest unit in which it is a whole number.</summary>
    public static string Format(Duration duration)
    {
        ArgumentNullException.ThrowIfNull(duration);
        decimal total = (duration.Seconds * 1_000_000_000m) + duration.Nanos;
        if (total == 0)
            return "0";
        (string unit, decimal nanoseconds) = Units.Reverse().FirstOrDefault(u => total % u.Nanoseconds == 0, ("us", 1_000));
        return (total / nanoseconds).ToString(CultureInfo.InvariantCulture) + unit;
    }

    private static decimal? Number(string digits) =>
        decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
            ? number
            : null;

    private static Duration? Of(decimal number, decimal nanoseconds)
    {
        const decimal Second = 1_000_000_000;
        if (number > Duration.MaxSeconds)
            return null;
        decimal total = decimal.Floor(number * nanoseconds);
        return new Duration { Seconds = (long)decimal.Floor(total / Second), Nanos = (int)(total % Second) };
    }
}
