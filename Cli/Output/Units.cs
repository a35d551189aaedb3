using Google.Protobuf.WellKnownTypes;

namespace InterGuest.Cli.Output;

/// <summary>Numbers with units, as short as they still say it.</summary>
internal static class Units
{
    private static readonly string[] Decimal = ["", "k", "M", "G", "T", "P", "E"];
    private static readonly string[] Binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    public static string BitsPerSecond(double? value) => value is { } rate ? $"{Scale(rate)}bit/s" : "-";

    /// <summary>A count, or a rate whose unit is said elsewhere: "83 k".</summary>
    public static string Count(double? value) => value is { } count ? Scale(count).TrimEnd() : "-";

    public static string Percent(double? share) => share is { } part ? part.ToString("0.0 %") : "-";

    public static string Bytes(ulong value) => $"{Scale(value)}B";

    /// <summary>Memory, which comes in powers of two.</summary>
    public static string Memory(ulong value)
    {
        int unit = 0;
        double scaled = value;
        for (; scaled >= 1024 && unit < Binary.Length - 1; unit++)
            scaled /= 1024;
        return $"{scaled:0.#} {Binary[unit]}";
    }

    /// <summary>All digits, in groups of three.</summary>
    public static string Number(ulong value) => value.ToString("#,0");

    public static string Duration(Duration? value) => value is null ? "-" : Duration(Span(value));

    public static string Duration(TimeSpan value) => value switch
    {
        { Ticks: < 0 } => "0 s",
        { TotalMilliseconds: > 0 and < 1 } => $"{value.TotalMicroseconds:0.#} us",
        { TotalMilliseconds: > 0 and < 1000 } => $"{value.TotalMilliseconds:0.###} ms",
        { TotalMinutes: < 1 } => $"{value.TotalSeconds:0.###} s",
        { TotalHours: < 1 } => $"{value.Minutes} min {value.Seconds} s",
        { TotalDays: < 1 } => $"{value.Hours} h {value.Minutes} min",
        _ => $"{value.Days} d {value.Hours} h",
    };

    /// <summary>How long ago, to the second: for states that changed.</summary>
    public static string Age(Timestamp? since, DateTimeOffset now)
    {
        if (since is null)
            return "-";
        double seconds = Math.Max(0, Math.Floor((now - since.ToDateTimeOffset()).TotalSeconds));
        return Duration(TimeSpan.FromSeconds(seconds));
    }

    public static string Time(Timestamp time, TimeZoneInfo zone, string format = "yyyy-MM-dd HH:mm:ss") =>
        TimeZoneInfo.ConvertTime(time.ToDateTimeOffset(), zone).ToString(format);

    /// <summary>Never throws: a duration out of the range that .NET has is its nearest.</summary>
    public static TimeSpan Span(Duration? value)
    {
        if (value is null)
            return TimeSpan.Zero;
        decimal ticks = (value.Seconds * (decimal)TimeSpan.TicksPerSecond) + (value.Nanos / 100);
        return TimeSpan.FromTicks((long)Math.Clamp(ticks, long.MinValue, long.MaxValue));
    }

    // "1.2 G", "83 k", "999 ": a number of at most three digits, a blank, the prefix.
    private static string Scale(double value)
    {
        int unit = 0;
        // 999.5 would be shown as 1000.
        for (; Math.Round(value, value < 9.95 ? 1 : 0) >= 1000 && unit < Decimal.Length - 1; unit++)
            value /= 1000;
        string digits = value < 9.95 ? $"{value:0.#}" : $"{Math.Round(value):0}";
        return $"{digits} {Decimal[unit]}";
    }
}
