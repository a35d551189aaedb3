namespace InterGuest.Switch.DataPath;

/// <summary>A join whose turn is one step after the other, until the budget is spent or a step ends it.</summary>
public abstract class SteppedJoin : Join
{
    /// <summary>Spent in this turn, in units of <see cref="WorkCost"/>; steps add to it.</summary>
    protected int Spent { get; set; }

    /// <inheritdoc/>
    public sealed override TurnResult Turn(int budget, out int spent)
    {
        Spent = 0;
        var result = TurnResult.More;
        while (Spent < budget && result == TurnResult.More)
            result = Step();
        Publish();
        spent = Spent;
        return result;
    }

    /// <summary>Does one thing.</summary>
    protected abstract TurnResult Step();

    /// <summary>Shows the guests what the steps did.</summary>
    protected abstract void Publish();
}
