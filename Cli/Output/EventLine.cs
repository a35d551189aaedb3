using InterGuest.Protos.V1;

namespace InterGuest.Cli.Output;

/// <summary>A line of `watch`: local time, and what the switch says of it.</summary>
internal static class EventLine
{
    private const string TimeFormat = "yyyy-MM-dd HH:mm:ss.fff";

    public static void Write(CliContext context, Event happened)
    {
        string time = happened.Time is null
            ? new string('-', TimeFormat.Length)
            : Units.Time(happened.Time, context.Zone, TimeFormat);
        if (happened.Missed > 0)
            context.Screen.WriteLine(
                $"{time}  ({Units.Number(happened.Missed)} events left out: this reader was too slow)");
        context.Screen.WriteLine($"{time}  {Words.Clean(happened.Text)}");
    }
}
