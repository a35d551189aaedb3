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

    /// <summary>What was done for a receiver that refused it; null: nothing.</summary>
    public static string? Translated(Translation? done) => done is not { Frames: > 0 } ? null
        : $"{Units.Number(done.Frames)} frames into {Units.Number(done.Segments)}, {Units.Bytes(done.BytesSummed)} added up, "
            + $"{Units.Duration(done.Time)} of the switch's time";
}
