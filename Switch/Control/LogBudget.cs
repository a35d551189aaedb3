namespace InterGuest.Switch.Control;

/// <summary>Lets a burst of lines through, then a few per second, so that no guest can fill a log. For one thread.</summary>
internal sealed class LogBudget(TimeProvider time)
{
    private const double Burst = 200, PerSecond = 5;

    private double _tokens = Burst;
    private long _last = time.GetTimestamp();
    private long _suppressed;

    /// <summary>Whether one more line may be written.</summary>
    /// <param name="suppressed">How many were not since the last that was.</param>
    public bool TrySpend(out long suppressed)
    {
        long now = time.GetTimestamp();
        _tokens = Math.Min(Burst, _tokens + time.GetElapsedTime(_last, now).TotalSeconds * PerSecond);
        _last = now;
        suppressed = _suppressed;
        if (_tokens < 1)
        {
            _suppressed++;
            return false;
        }
        _tokens--;
        _suppressed = 0;
        return true;
    }
}
