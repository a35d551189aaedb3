using System.Globalization;

namespace InterGuest.Switch.Tests;

internal static class Threads
{
    /// <summary>CPU time of a thread, by its name.</summary>
    public static TimeSpan CpuTime(string process, string name)
    {
        string task = Directory.GetDirectories($"{process}/task").Single(t => File.ReadAllText($"{t}/comm").Trim() == name);
        // Nanoseconds on a CPU come first (Documentation/scheduler/sched-stats.rst).
        long nanoseconds = long.Parse(File.ReadAllText($"{task}/schedstat").Split(' ')[0], CultureInfo.InvariantCulture);
        return TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
    }
}
