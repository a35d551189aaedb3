using System.CommandLine;
using InterGuest.Agent.Guests;
using InterGuest.Agent.Net;
using InterGuest.Agent.Output;

namespace InterGuest.Agent.Commands;

/// <summary>`interguest-agent ping`.</summary>
internal static class PingCommand
{
    private static readonly GuestOptions Guest = new();
    private static readonly FeatureOptions Accept = new();
    private static readonly Option<long> Count = NumberOption.Whole("--count", "N", "Requests to send; 0: until Ctrl-C", 0, 0, long.MaxValue);
    private static readonly Option<long> Size = NumberOption.Whole("--size", "BYTES", "Of a frame", TestFrame.MinBytes, TestFrame.MinBytes, TestFrame.MaxBytes);
    private static readonly Option<TimeSpan> Interval = NumberOption.Duration("--interval", "From a request to the next; 0: at once after the answer", "1s");
    private static readonly Option<TimeSpan> Timeout = NumberOption.Duration("--timeout", "How long an answer may take", "1s");
    private static readonly Option<bool> Poll = NumberOption.Flag("--poll", "Look for answers all the time: a core is busy, and answers are seen sooner");
    private static readonly Option<bool> Quiet = NumberOption.Flag("--quiet", "Only the summary");
    private static readonly Option<bool> Json = NumberOption.Flag("--json", "The summary as JSON, times in microseconds");

    public static Command Create(AgentContext context)
    {
        var command = new Command("ping",
            "Measure round trips to the 'sink' at the other end of a network link.\n\n"
            + "  interguest-agent ping --port /run/interguest/ports/a.sock --count 3\n"
            + "  interguest-agent ping --port a.sock --interval 0 --count 100000 --quiet\n\n"
            + "Exit status 1: no answer came.") { Count, Size, Interval, Timeout, Poll, Quiet, Json };
        Guest.AddTo(command);
        Accept.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(context, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(AgentContext context, ParseResult parsed, CancellationToken cancel)
    {
        var options = new PingOptions
        {
            Count = parsed.GetValue(Count),
            Size = (int)parsed.GetValue(Size),
            Interval = parsed.GetValue(Interval),
            Timeout = parsed.GetValue(Timeout),
            Poll = parsed.GetValue(Poll),
        };
        bool silent = parsed.GetValue(Quiet) || parsed.GetValue(Json);
        var role = new PingRole(options, context.Time, (sequence, took) =>
        {
            if (!silent)
                context.Out.WriteLine($"{options.Size} bytes: seq={sequence} time={Report.Time(took)}");
        });
        using var guest = Guest.Make(parsed, NetMemory.Bytes(options.Size, PingRole.QueueSize), Accept.RoundsBit(parsed));
        await new RoleLoop(guest, context.Log, Accept.Refused(parsed)).RunAsync(role, cancel);
        Write(context.Out, role, parsed.GetValue(Json));
        return role.Times.Count > 0 ? ExitCodes.Success : ExitCodes.Failed;
    }

    private static void Write(TextWriter output, PingRole role, bool json)
    {
        var times = role.Times;
        if (json)
        {
            Report.WriteJson(output, new
            {
                role.Sent, Received = times.Count, role.Lost,
                Min = times.Min.TotalMicroseconds, Mean = times.Mean.TotalMicroseconds, P50 = times.Percentile(0.5).TotalMicroseconds,
                P99 = times.Percentile(0.99).TotalMicroseconds, P999 = times.Percentile(0.999).TotalMicroseconds, Max = times.Max.TotalMicroseconds,
            });
            return;
        }
        output.WriteLine($"{role.Sent} sent, {times.Count} answered, {role.Lost} lost");
        if (times.Count > 0)
            output.WriteLine($"min {Report.Time(times.Min)}, mean {Report.Time(times.Mean)}, 50 % {Report.Time(times.Percentile(0.5))}, "
                + $"99 % {Report.Time(times.Percentile(0.99))}, max {Report.Time(times.Max)}");
    }
}
