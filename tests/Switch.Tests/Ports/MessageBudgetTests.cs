using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Tests.Ports;

public class MessageBudgetTests
{
    private readonly FakeTime _time = new();

    /// <summary>QEMU with 128 pairs: at each start about 12 messages a ring, in one go; a boot has a handful of starts.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(128)]
    public void AFewStartsInARowAreWelcome(int queuePairs)
    {
        var budget = new MessageBudget(_time, 2 * queuePairs);
        for (int start = 0; start < 6; start++)
            for (int ring = 0; ring < 2 * queuePairs; ring++)
                Assert.Null(budget.Spend(12));
    }

    [Fact]
    public void AFloodIsHeardAtAFixedRate()
    {
        var budget = new MessageBudget(_time, 2);
        while (budget.Spend(32) == null)
            continue;
        int heard = 0;
        for (int turn = 0; turn < 1000; turn++, heard += 32)
            if (budget.Spend(32) is { } wait)
                _time.Pass(wait);
        Assert.InRange(heard / (_time.Passed.TotalSeconds + 0.1), 320, 520);
    }

    [Fact]
    public void QuietIsForgottenAndSoIsNoise()
    {
        var budget = new MessageBudget(_time, 2);
        while (budget.Spend(1) == null)
            continue;
        _time.Pass(TimeSpan.FromHours(1));
        int burst = 0;
        for (; budget.Spend(1) == null; burst++)
            continue;
        Assert.Equal(2200, burst);
    }
}
