namespace InterGuest.Agent.Block;

/// <summary>Counts what has begun and is not over, for who must wait until nothing is. For any thread.</summary>
internal sealed class Unfinished : IDisposable
{
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _none = new(true);
    private int _count;

    /// <summary>So many begin.</summary>
    public void Add(int count)
    {
        lock (_lock)
        {
            _count += count;
            _none.Reset();
        }
    }

    /// <summary>So many are over.</summary>
    public void Finish(int count)
    {
        lock (_lock)
        {
            _count -= count;
            if (_count == 0)
                _none.Set();
        }
    }

    /// <summary>Waits until all are over.</summary>
    public void Wait() => _none.Wait();

    /// <inheritdoc/>
    public void Dispose() => _none.Dispose();
}
