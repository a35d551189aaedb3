namespace InterGuest.Cli.Tests.Fakes;

/// <summary>Always the same time of day; timers run as usual.</summary>
internal sealed class FixedClock(DateTimeOffset now) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => now;
}
