using System.Diagnostics;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>How long requests took, from the moment they were taken to that in which they were given back. Written by one thread, read by any.</summary>
public sealed class RequestLatency
{
    /// <summary>How long the requests of a bucket took at most; those of the last bucket took longer than all of these.</summary>
    // 1, 2, 5 in each decade: a disk in memory takes tens of microseconds, one that is away up to its link's limit.
    public static IReadOnlyList<TimeSpan> UpperBounds { get; } =
        [.. new double[] { 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7 }.Select(TimeSpan.FromMicroseconds)];

    private static readonly long[] Bounds = [.. UpperBounds.Select(bound => bound.Ticks * (Stopwatch.Frequency / TimeSpan.TicksPerSecond))];

    private readonly long[] _counts = new long[Bounds.Length + 1];
    private long _sum;

    /// <summary>Requests, by bucket.</summary>
    public IReadOnlyList<long> Counts => [.. Enumerable.Range(0, _counts.Length).Select(i => Volatile.Read(ref _counts[i]))];

    /// <summary>The time that all of them took.</summary>
    public TimeSpan Sum => Stopwatch.GetElapsedTime(0, Volatile.Read(ref _sum));

    /// <summary>Counts a request that is over.</summary>
    /// <param name="began">When it was taken, by <see cref="Stopwatch.GetTimestamp"/>.</param>
    public void Took(long began)
    {
        long took = Stopwatch.GetTimestamp() - began;
        int bucket = 0;
        while (bucket < Bounds.Length && took > Bounds[bucket])
            bucket++;
        Volatile.Write(ref _counts[bucket], _counts[bucket] + 1);
        Volatile.Write(ref _sum, _sum + took);
    }
}
