using InterGuest.Switch.Control;

namespace InterGuest.Switch.Tests.Control;

public class LogBudgetTests
{
    private readonly FakeTime _time = new();

    [Fact]
    public void ABurstIsWrittenThenAFewPerSecond()
    {
        var budget = new LogBudget(_time);
        Assert.Equal(200, Spend(budget, 1000, out long suppressed));
        Assert.Equal(0, suppressed);
        _time.Pass(TimeSpan.FromSeconds(1));
        Assert.Equal(5, Spend(budget, 100, out suppressed));
        // The first line after a gap says how many were left out.
        Assert.Equal(800, suppressed);
        _time.Pass(TimeSpan.FromMilliseconds(199));
        Assert.Equal(0, Spend(budget, 10, out _));
        _time.Pass(TimeSpan.FromMilliseconds(2));
        Assert.Equal(1, Spend(budget, 10, out suppressed));
        Assert.Equal(105, suppressed);
    }

    [Fact]
    public void AQuietNightDoesNotSaveUpMoreThanABurst()
    {
        var budget = new LogBudget(_time);
        _time.Pass(TimeSpan.FromHours(10));
        Assert.Equal(200, Spend(budget, 1000, out _));
    }

    private static int Spend(LogBudget budget, int lines, out long suppressed)
    {
        int written = 0;
        suppressed = 0;
        for (int i = 0; i < lines; i++)
        {
            if (!budget.TrySpend(out long missed))
                continue;
            written++;
            suppressed += missed;
        }
        return written;
    }
}
