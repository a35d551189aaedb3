using System.Diagnostics;
using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>A loop that runs, with a thread that can be told from others.</summary>
internal sealed class LoopFixture : IDisposable
{
    private static int _last = 7000;
    private readonly int _index = Interlocked.Increment(ref _last);
    private readonly List<Exception> _failures = [];

    public LoopFixture()
    {
        Loop = new EventLoop(_index) { Failed = _failures.Add, RingFault = (end, fault) => Faults.Enqueue((end, fault)) };
        Loop.Start();
    }

    public EventLoop Loop { get; }

    public System.Collections.Concurrent.ConcurrentQueue<(QueueEnd End, QueueFault Fault)> Faults { get; } = new();

    public void Add(params Join[] joins) => Loop.Invoke(() => Array.ForEach(joins, Loop.Add));

    public void Remove(Join join) => Loop.Invoke(() => Loop.Remove(join));

    /// <summary>Returns when the loop has looked for kicks and taken its turns since the call.</summary>
    public void LetItLook()
    {
        // Work is done in a look; between two looks without work, every join has had a turn.
        for (int i = 0; i < 3; i++)
            Loop.Invoke(() => { });
    }

    /// <summary>CPU time of the loop's thread.</summary>
    public TimeSpan CpuTime() => Threads.CpuTime("/proc/self", $"loop-{_index}");

    public static TimeSpan Measure(Action action)
    {
        long started = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(started);
    }

    public void Dispose()
    {
        Loop.Dispose();
        Assert.Empty(_failures);
    }
}
