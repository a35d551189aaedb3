using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Ports;

/// <summary>One ring as the front-end has set it up so far, and its queue while it runs.</summary>
internal sealed class Vring : IDisposable
{
    private EventFd? _kick;
    private EventFd? _call;
    private EventFd? _error;
    private bool _kicked;

    /// <summary>Entries; 0: not said.</summary>
    public int Size { get; set; }

    /// <summary>Its areas; null: not said.</summary>
    public RingLayout? Layout { get; set; }

    /// <summary>Where to begin, as SET_VRING_BASE says it and GET_VRING_BASE tells it.</summary>
    public uint Base { get; set; }

    /// <summary>Whether the front-end enabled it.</summary>
    public bool Enabled { get; set; }

    /// <summary>The queue while it runs, enabled or not (vhost-user specification, "Ring states").</summary>
    public QueueEnd? End { get; private set; }

    /// <summary>Whether all that a start needs has been said.</summary>
    public bool IsComplete => _kicked && Size > 0 && Layout != null;

    /// <summary>Whether the ring may carry data.</summary>
    public bool Runs => End != null && Enabled;

    /// <summary>Sets the kick; null: the ring is polled. Not while it runs.</summary>
    public void SetKick(EventFd? kick)
    {
        _kick?.Dispose();
        _kick = kick;
        _kicked = true;
    }

    /// <summary>Sets the call; null: the guest polls. While it runs: in its loop's thread.</summary>
    /// <returns>The one before, to be closed by the caller once nothing uses it.</returns>
    public EventFd? ExchangeCall(EventFd? call)
    {
        var before = _call;
        _call = call;
        End?.ReplaceCall(call);
        return before;
    }

    /// <summary>Sets where faults are told.</summary>
    public void SetError(EventFd? error)
    {
        _error?.Dispose();
        _error = error;
    }

    /// <summary>Tells the front-end that the ring is broken.</summary>
    public void SignalError() => _error?.Signal();

    /// <summary>Starts the ring. Returns why not, or null.</summary>
    public string? Start(GuestMemory memory, ulong features, QueueCounters counters)
    {
        var queue = DeviceQueue.TryCreate(memory, Layout!.Value, Size, features, Base, out string reason);
        if (queue == null)
            return reason;
        End = new QueueEnd(queue, features, _kick, _call, counters);
        return null;
    }

    /// <summary>Stops the ring where it is, as if for a moment: it can be started again. Not while a join uses it.</summary>
    public void Pause()
    {
        if (End == null)
            return;
        Base = End.Queue.State;
        End.Dispose();
        End = null;
    }

    /// <summary>Stops the ring until the front-end kicks it anew (vhost-user GET_VRING_BASE). Not while a join uses it.</summary>
    public void Stop()
    {
        Pause();
        _kicked = false;
        _kick?.Dispose();
        _call?.Dispose();
        _kick = _call = null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Stop();
        _error?.Dispose();
        _error = null;
    }
}
