using System.CommandLine;
using InterGuest.Agent.Guests;
using InterGuest.Agent.Net;
using InterGuest.Agent.Output;

namespace InterGuest.Agent.Commands;

/// <summary>`interguest-agent sink`.</summary>
internal static class SinkCommand
{
    private static readonly GuestOptions Guest = new();
    private static readonly FeatureOptions Accept = new();
    private static readonly Option<long> Count = NumberOption.Whole("--count", "N", "End after so many frames of a blast; 0: no end", 0, 0, long.MaxValue);
    private static readonly Option<TimeSpan> Duration = NumberOption.Duration("--for", "End after so long; 0: no end", "0");
    private static readonly Option<long> Largest = NumberOption.Whole("--size", "BYTES", "Of the largest frame", TestFrame.MaxBytes, TestFrame.MinBytes, TestFrame.MaxBytes);
    private static readonly Option<long> Queue = NumberOption.QueueSize();
    private static readonly Option<bool> NoCheck = NumberOption.Flag("--no-check", "Do not look at payloads: less work for long frames");
    private static readonly Option<bool> Poll = NumberOption.Flag("--poll", "Look for frames all the time: a core is busy, and answers go out sooner");
    private static readonly Option<bool> Json = NumberOption.Flag("--json", "The summary as JSON");

    public static Command Create(AgentContext context)
    {
        var command = new Command("sink",
            "Receive, count and check the frames of a 'blast' (start the sink first), and send back those of a 'ping'.\n\n"
            + "  interguest-agent sink --port /run/interguest/ports/b.sock\n"
            + "  interguest-agent sink --port b.sock --count 1000000 --json\n\n"
            + "Ends by --count, --for or Ctrl-C. Exit status 1: a frame was missing, out of order or not as it was sent.")
        { Count, Duration, Largest, Queue, NoCheck, Poll, Json };
        Guest.AddTo(command);
        Accept.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(context, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(AgentContext context, ParseResult parsed, CancellationToken cancel)
    {
        var options = new SinkOptions
        {
            Count = parsed.GetValue(Count),
            Duration = parsed.GetValue(Duration),
            LargestFrame = (int)parsed.GetValue(Largest),
            QueueSize = (int)parsed.GetValue(Queue),
            CheckPayload = !parsed.GetValue(NoCheck),
            Poll = parsed.GetValue(Poll),
        };
        var role = new SinkRole(options, context.Time);
        using var guest = Guest.Make(parsed, NetMemory.Bytes(options.LargestFrame, options.QueueSize), Accept.RoundsBit(parsed));
        await new RoleLoop(guest, context.Log, Accept.Refused(parsed)).RunAsync(role, cancel);
        Write(context.Out, role, parsed.GetValue(Json));
        return role.Missing + role.OutOfOrder + role.Corrupt == 0 ? ExitCodes.Success : ExitCodes.Failed;
    }

    private static void Write(TextWriter output, SinkRole role, bool json)
    {
        if (json)
        {
            Report.WriteJson(output, new
            {
                role.Received, role.Bytes, Seconds = role.Elapsed.TotalSeconds, role.Missing, role.OutOfOrder, role.Corrupt, role.Foreign, role.Echoed, role.NotEchoed,
            });
            return;
        }
        output.WriteLine($"{role.Received} frames ({role.Bytes} bytes) in {Report.Time(role.Elapsed)}: {Report.Rate(role.Received, role.Bytes, role.Elapsed)}");
        output.WriteLine($"{role.Missing} missing, {role.OutOfOrder} out of order, {role.Corrupt} corrupt, {role.Foreign} of others; {role.Echoed} pings sent back, {role.NotEchoed} not");
    }
}
