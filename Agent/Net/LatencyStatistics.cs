namespace InterGuest.Agent.Net;

/// <summary>
/// Durations, counted in bins that are 1/16 of a power of two of nanoseconds wide: any number of them in little memory, and
/// percentiles right to 6 %.
/// </summary>
internal sealed class LatencyStatistics
{
    private const int StepBits = 4, Steps = 1 << StepBits;

    private readonly long[] _bins = new long[64 * Steps];
    private double _sum;

    /// <summary>How many.</summary>
    public long Count { get; private set; }

    /// <summary>The shortest.</summary>
    public TimeSpan Min { get; private set; }

    /// <summary>The longest.</summary>
    public TimeSpan Max { get; private set; }

    /// <summary>The mean.</summary>
    public TimeSpan Mean => Count > 0 ? TimeSpan.FromTicks((long)(_sum / Count)) : TimeSpan.Zero;

    /// <summary>Adds one.</summary>
    public void Add(TimeSpan duration)
    {
        Min = Count == 0 || duration < Min ? duration : Min;
        Max = duration > Max ? duration : Max;
        _sum += duration.Ticks;
        Count++;
        _bins[Bin((ulong)Math.Max(0, duration.Ticks))]++;
    }

    /// <summary>The duration that this part of all did not exceed.</summary>
    /// <param name="part">From 0 to 1.</param>
    public TimeSpan Percentile(double part)
    {
        long rank = Math.Max(1, (long)Math.Ceiling(part * Count)), seen = 0;
        for (int bin = 0; bin < _bins.Length; bin++)
        {
            seen += _bins[bin];
            if (seen >= rank)
                return TimeSpan.FromTicks(Math.Clamp(Largest(bin), Min.Ticks, Max.Ticks));
        }
        return TimeSpan.Zero;
    }

    private static int Bin(ulong ticks)
    {
        int bits = 64 - System.Numerics.BitOperations.LeadingZeroCount(ticks);
        return bits <= StepBits ? (int)ticks : (bits - StepBits) * Steps + (int)(ticks >> (bits - StepBits - 1) & (Steps - 1));
    }

    private static long Largest(int bin)
    {
        int bits = bin / Steps;
        return bits == 0 ? bin : ((long)(Steps + bin % Steps + 1) << (bits - 1)) - 1;
    }
}
