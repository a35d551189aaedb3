using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Output;

/// <summary>Parts that ports and links have in common.</summary>
internal static class Details
{
    public static string Since(Timestamp? since, CliContext context) => since is null
        ? ""
        : $" since {Units.Time(since, context.Zone)} ({Units.Age(since, context.Clock.GetUtcNow())})";

    public static string Traffic(ulong frames, ulong bytes) => $"{Units.Number(frames)} frames, {Units.Bytes(bytes)}";

    public static IEnumerable<string> Reasons(RepeatedField<ReasonCount> counts) =>
        counts.Select(count => $"{Units.Number(count.Count)} {count.Reason}").DefaultIfEmpty("none");

    /// <summary>How long requests took: the mean, and within what time half and nearly all of them were done.</summary>
    public static string Latency(Latency latency) => latency.Count == 0
        ? "no request yet"
        : $"{Units.Duration(Units.Span(latency.Total) / latency.Count)} on average, {Within(latency, 50)}, {Within(latency, 99)}";

    private static string Within(Latency latency, uint percent)
    {
        LatencyBucket? bucket = latency.Buckets.FirstOrDefault(b => b.Count * 100 >= latency.Count * percent);
        return bucket == null
            ? $"more than {100 - percent} % longer than {Units.Duration(latency.Buckets[^1].AtMost)}"
            : $"{percent} % within {Units.Duration(bucket.AtMost)}";
    }

    /// <summary>What was done for a receiver that refused it; null: nothing.</summary>
    public static string? Translated(Translation? done) => done is not { Frames: > 0 } ? null
        : $"{Units.Number(done.Frames)} frames into {Units.Number(done.Segments)}, {Units.Bytes(done.BytesSummed)} added up, "
            + $"{Units.Duration(done.Time)} of the switch's time";
}
