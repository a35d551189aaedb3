namespace InterGuest.Agent.Block;

/// <summary>Lets the first errors through to the log, and then one of every thousand: a broken disk must not fill another.</summary>
internal sealed class ErrorBudget
{
    private const int First = 20, Every = 1000;

    private long _count;

    /// <summary>Whether this one may be told. From any thread.</summary>
    public bool TrySpend()
    {
        long count = Interlocked.Increment(ref _count);
        return count <= First || count % Every == 0;
    }
}
