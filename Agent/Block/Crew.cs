using System.Collections.Concurrent;

namespace InterGuest.Agent.Block;

/// <summary>Threads that do requests, which wait for the medium.</summary>
internal sealed class Crew : IDisposable
{
    private readonly Action<int> _work;
    private readonly ConcurrentQueue<int> _queue = new();
    private readonly SemaphoreSlim _waiting = new(0);
    private readonly Thread[] _threads;
    private readonly Unfinished _unfinished = new();
    private volatile bool _ended;

    /// <summary>Starts the threads.</summary>
    /// <param name="threads">How many.</param>
    /// <param name="work">What to do with a number that was given to <see cref="Add"/>. Does not throw.</param>
    public Crew(int threads, Action<int> work)
    {
        _work = work;
        _threads = [.. Enumerable.Range(0, threads).Select(i => new Thread(Run) { IsBackground = true, Name = $"disk-{i}" })];
        foreach (var thread in _threads)
            thread.Start();
    }

    /// <summary>Gives the threads something to do.</summary>
    public void Add(int number)
    {
        _unfinished.Add(1);
        _queue.Enqueue(number);
        _waiting.Release();
    }

    /// <summary>Takes back what has not begun, and waits for the end of what has.</summary>
    /// <returns>What has not begun.</returns>
    public IReadOnlyList<int> Abandon()
    {
        var dropped = new List<int>();
        while (_queue.TryDequeue(out int number))
        {
            dropped.Add(number);
            _unfinished.Finish(1);
        }
        _unfinished.Wait();
        return dropped;
    }

    /// <summary>Ends the threads when they have done what they are doing.</summary>
    public void Dispose()
    {
        Abandon();
        _ended = true;
        _waiting.Release(_threads.Length);
        foreach (var thread in _threads)
            thread.Join();
        _waiting.Dispose();
        _unfinished.Dispose();
    }

    private void Run()
    {
        while (!_ended)
        {
            _waiting.Wait();
            if (!_queue.TryDequeue(out int number))
                continue;
            _work(number);
            _unfinished.Finish(1);
        }
    }
}
