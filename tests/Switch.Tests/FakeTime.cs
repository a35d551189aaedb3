namespace InterGuest.Switch.Tests;

/// <summary>A clock that a test moves.</summary>
internal sealed class FakeTime : TimeProvider
{
    private long _ticks = 1;

    /// <summary>How far it was moved.</summary>
    public TimeSpan Passed => TimeSpan.FromTicks(_ticks - 1);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _ticks;

    public void Pass(TimeSpan time) => _ticks += time.Ticks;
}
