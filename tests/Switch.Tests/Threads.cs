using System.Globalization;

namespace InterGuest.Switch.Tests;

internal static class Threads
{
    /// <summary>Where a process's threads of these names are in /proc.</summary>
    public static IEnumerable<string> Named(string process, params string[] names) =>
        Directory.GetDirectories($"{process}/task").Where(t => names.Contains(NameOf(t)));

    /// <summary>CPU time of a thread, by its name.</summary>
    public static TimeSpan CpuTime(string process, string name)
    {
        string task = Named(process, name).Single();
        // Nanoseconds on a CPU come first (Documentation/scheduler/sched-stats.rst).
        long nanoseconds = long.Parse(File.ReadAllText($"{task}/schedstat").Split(' ')[0], CultureInfo.InvariantCulture);
        return TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
    }

    private static string? NameOf(string task)
    {
        try
        {
            return File.ReadAllText($"{task}/comm").Trim();
        }
        catch (IOException)
        {
            return null; // it has ended since it was listed
        }
    }
}
