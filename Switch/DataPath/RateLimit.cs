namespace InterGuest.Switch.DataPath;

/// <summary>
/// How much the guest of a port may move in a time: a bucket of tokens, one a byte, which fills at the rate and holds the burst.
/// What begins while there are tokens is moved whole: the debt is paid before the next. All joins of a port share it, in one
/// loop, whose thread alone uses it.
/// </summary>
/// <param name="bitsPerSecond">How fast it fills.</param>
/// <param name="burst">Bytes that it holds; it begins full.</param>
/// <param name="time">The clock.</param>
/// <param name="counters">Count how often a join had to wait.</param>
public sealed class RateLimit(ulong bitsPerSecond, ulong burst, TimeProvider time, PortCounters counters)
{
    private readonly double _bytesPerTick = bitsPerSecond / 8.0 / time.TimestampFrequency;
    private double _tokens = burst;
    private long _filledAt = time.GetTimestamp();

    /// <summary>Bytes that may be begun to move now; none: it must be waited.</summary>
    public long Left => (long)Math.Max(0, _tokens);

    /// <summary>Whether nothing may be begun now.</summary>
    public bool IsSpent => _tokens < 1;

    /// <summary>Puts in what has come since the last time.</summary>
    public void Refill()
    {
        long now = time.GetTimestamp();
        _tokens = Math.Min(burst, _tokens + (now - _filledAt) * _bytesPerTick);
        _filledAt = now;
    }

    /// <summary>Takes out what was moved.</summary>
    public void Charge(long bytes) => _tokens -= bytes;

    /// <summary>A join stops for it. Returns after how many milliseconds something may be moved again: 1 at least.</summary>
    public long Wait()
    {
        counters.Limited();
        double ticks = (1 - _tokens) / _bytesPerTick;
        return Math.Max(1, (long)Math.Ceiling(ticks * 1000 / time.TimestampFrequency));
    }
}
