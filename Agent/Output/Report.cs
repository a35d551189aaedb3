using System.Text.Json;

namespace InterGuest.Agent.Output;

/// <summary>What a role has to say in the end.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Writes an object on one line: lowerCamelCase, numbers as numbers.</summary>
    public static void WriteJson<T>(TextWriter output, T report) => output.WriteLine(JsonSerializer.Serialize(report, Json));

    /// <summary>"12.3 us", "4.56 ms": three digits.</summary>
    public static string Time(TimeSpan time) => time switch
    {
        { TotalMilliseconds: < 1 } => $"{time.TotalMicroseconds:0.0} us",
        { TotalSeconds: < 1 } => $"{time.TotalMilliseconds:0.00} ms",
        _ => $"{time.TotalSeconds:0.00} s",
    };

    /// <summary>Frames and bytes per second, in words.</summary>
    public static string Rate(long frames, long bytes, TimeSpan elapsed)
    {
        double seconds = Math.Max(elapsed.TotalSeconds, 1e-9);
        return $"{frames / seconds / 1e6:0.000} M frames/s, {bytes * 8 / seconds / 1e9:0.00} Gbit/s";
    }
}
