using System.CommandLine;
using InterGuest.Agent.Guests;
using InterGuest.Agent.Net;
using InterGuest.Agent.Output;

namespace InterGuest.Agent.Commands;

/// <summary>`interguest-agent blast`.</summary>
internal static class BlastCommand
{
    private static readonly GuestOptions Guest = new();
    private static readonly FeatureOptions Accept = new();
    private static readonly Option<long> Size = NumberOption.Whole("--size", "BYTES", "Of a frame", 1514, TestFrame.MinBytes, TestFrame.MaxBytes);
    private static readonly Option<long> Count = NumberOption.Whole("--count", "N", "Frames to send; 0: no end", 0, 0, long.MaxValue);
    private static readonly Option<TimeSpan> Duration = NumberOption.Duration("--for", "How long to send; 0: no end", "0");
    private static readonly Option<long> Rate = NumberOption.Whole("--rate", "N", "Frames per second; 0: as many as go", 0, 0, 1_000_000_000);
    private static readonly Option<long> Queue = NumberOption.QueueSize();
    private static readonly Option<bool> Poll = NumberOption.Flag("--poll", "Look for room all the time: a core is busy");
    private static readonly Option<bool> Json = NumberOption.Flag("--json", "The summary as JSON");

    public static Command Create(AgentContext context)
    {
        var command = new Command("blast",
            "Send frames over a network link, for a 'sink' at the other end to count and check.\n\n"
            + "  interguest-agent blast --port /run/interguest/ports/a.sock --for 10s\n"
            + "  interguest-agent blast --port a.sock --size 60 --count 1000000 --rate 100000 --json\n\n"
            + "Ends by --count, --for or Ctrl-C. What the link dropped, the sink and 'interguest status' tell.")
        { Size, Count, Duration, Rate, Queue, Poll, Json };
        Guest.AddTo(command);
        Accept.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(context, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(AgentContext context, ParseResult parsed, CancellationToken cancel)
    {
        var options = new BlastOptions
        {
            Size = (int)parsed.GetValue(Size),
            Count = parsed.GetValue(Count),
            Duration = parsed.GetValue(Duration),
            Rate = parsed.GetValue(Rate),
            QueueSize = (int)parsed.GetValue(Queue),
            Poll = parsed.GetValue(Poll),
        };
        var role = new BlastRole(options, context.Time);
        using var guest = Guest.Make(parsed, NetMemory.Bytes(options.Size, options.QueueSize), Accept.RoundsBit(parsed));
        await new RoleLoop(guest, context.Log, Accept.Refused(parsed)).RunAsync(role, cancel);
        long bytes = role.Completed * options.Size;
        if (parsed.GetValue(Json))
            Report.WriteJson(context.Out, new { role.Sent, role.Completed, role.Abandoned, options.Size, Bytes = bytes, Seconds = role.Elapsed.TotalSeconds });
        else
            context.Out.WriteLine($"{role.Sent} frames of {options.Size} bytes sent in {Report.Time(role.Elapsed)}, {role.Completed} taken: {Report.Rate(role.Completed, bytes, role.Elapsed)}");
        return ExitCodes.Success;
    }
}
