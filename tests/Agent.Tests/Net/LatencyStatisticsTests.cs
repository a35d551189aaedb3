using InterGuest.Agent.Net;

namespace InterGuest.Agent.Tests.Net;

public sealed class LatencyStatisticsTests
{
    [Fact]
    public void Percentiles_are_right_to_a_sixteenth()
    {
        var statistics = new LatencyStatistics();
        foreach (long ticks in Enumerable.Range(1, 100_000))
            statistics.Add(TimeSpan.FromTicks(ticks));
        foreach (double part in new[] { 0.001, 0.1, 0.5, 0.9, 0.99, 0.999 })
            Assert.InRange(statistics.Percentile(part).Ticks, (long)(part * 100_000), (long)(part * 100_000 * 17 / 16) + 1);
        Assert.Equal((1, 100_000, 50_000), (statistics.Min.Ticks, statistics.Max.Ticks, statistics.Mean.Ticks));
        Assert.Equal(100_000, statistics.Percentile(1).Ticks);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(long.MaxValue)]
    public void One_duration_is_every_percentile(long ticks)
    {
        var statistics = new LatencyStatistics();
        statistics.Add(TimeSpan.FromTicks(ticks));
        Assert.Equal(ticks, statistics.Percentile(0.01).Ticks);
        Assert.Equal(ticks, statistics.Percentile(1).Ticks);
    }
}
