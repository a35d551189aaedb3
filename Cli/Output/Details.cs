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
}
