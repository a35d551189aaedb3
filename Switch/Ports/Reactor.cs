using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Ports;

/// <summary>
/// The thread that owns ports and links: waits for sockets and times, and does what the control plane asks. All that
/// changes a port or a link happens here, one thing after the other.
/// </summary>
public sealed class Reactor() : LoopThread("control")
{
    private readonly Dictionary<ulong, Action> _watched = [];
    private readonly PriorityQueue<Timer, long> _timers = new();
    private ulong _lastToken = WakeToken;

    /// <summary>Calls back whenever a descriptor is readable, until <see cref="Unwatch"/>.</summary>
    /// <returns>The watch's token.</returns>
    public ulong Watch(FileDescriptor fd, Action readable) => Watch(fd, PollInterest.Readable, readable);

    /// <summary>Calls back when the other end is gone, until <see cref="Unwatch"/>.</summary>
    /// <returns>The watch's token.</returns>
    public ulong WatchEnd(FileDescriptor fd, Action ended) => Watch(fd, PollInterest.None, ended);

    /// <summary>Ends a watch. Before the descriptor is closed.</summary>
    public void Unwatch(FileDescriptor fd, ulong token)
    {
        if (_watched.Remove(token))
            Poller.Remove(fd);
    }

    /// <summary>Calls back once, after a time, unless disposed before.</summary>
    public IDisposable After(TimeSpan time, Action callback)
    {
        var timer = new Timer(callback);
        _timers.Enqueue(timer, Environment.TickCount64 + (long)time.TotalMilliseconds);
        return timer;
    }

    /// <inheritdoc/>
    protected override void Run()
    {
        var events = new PollEvent[64];
        while (!Stopping)
        {
            int count = Poller.Wait(events, NextTimer());
            DoWork();
            for (int i = 0; i < count; i++)
                if (_watched.TryGetValue(events[i].Token, out var readable))
                    Guard(readable);
            FireTimers();
        }
    }

    private ulong Watch(FileDescriptor fd, PollInterest interest, Action happened)
    {
        Poller.Add(fd, interest, ++_lastToken);
        _watched.Add(_lastToken, happened);
        return _lastToken;
    }

    private int NextTimer()
    {
        while (_timers.TryPeek(out var timer, out long due))
        {
            if (!timer.Cancelled)
                return (int)Math.Clamp(due - Environment.TickCount64, 0, int.MaxValue);
            _timers.Dequeue();
        }
        return -1;
    }

    private void FireTimers()
    {
        while (_timers.TryPeek(out var timer, out long due) && due <= Environment.TickCount64)
        {
            _timers.Dequeue();
            if (!timer.Cancelled)
                Guard(timer.Callback);
        }
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
#pragma warning disable CA1031 // a fault of ours in one port must not end the thread that serves all of them
        catch (Exception e)
#pragma warning restore CA1031
        {
            Failed?.Invoke(e);
        }
    }

    private sealed class Timer(Action callback) : IDisposable
    {
        public Action Callback { get; } = callback;

        public bool Cancelled { get; private set; }

        public void Dispose() => Cancelled = true;
    }
}
