using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// What one ring of a port did, over all the queues that ran in it. Written by the loop that has the queue, read by any thread.
/// </summary>
public sealed class QueueCounters
{
    private readonly long[] _faults = new long[Enum.GetValues<QueueFault>().Length];
    private long _kicks;
    private long _kicksSuppressed;
    private long _calls;
    private long _callsSuppressed;
    private long _kicksAtLastTurn;

    /// <summary>Of a transmit queue: what the guest sent, with its drops. Of a receive queue: what it got, without any.</summary>
    public TrafficCounters Traffic { get; } = new();

    /// <summary>Times the guest woke us.</summary>
    public long Kicks => Volatile.Read(ref _kicks);

    /// <summary>Turns that took something from a transmit queue without a kick for it: the guest was spared one.</summary>
    public long KicksSuppressed => Volatile.Read(ref _kicksSuppressed);

    /// <summary>Times we called the guest.</summary>
    public long Calls => Volatile.Read(ref _calls);

    /// <summary>Times we showed the guest used buffers and it had not asked to be called.</summary>
    public long CallsSuppressed => Volatile.Read(ref _callsSuppressed);

    /// <summary>Rules broken, by kind; only kinds that occurred.</summary>
    public IEnumerable<(QueueFault Fault, long Count)> Faults =>
        Enum.GetValues<QueueFault>().Select(f => (f, Volatile.Read(ref _faults[(int)f]))).Where(f => f.Item2 > 0);

    /// <summary>Counts a kick.</summary>
    public void Kicked() => Volatile.Write(ref _kicks, _kicks + 1);

    /// <summary>Counts a turn that took something.</summary>
    public void Taken()
    {
        if (_kicks == _kicksAtLastTurn)
            Volatile.Write(ref _kicksSuppressed, _kicksSuppressed + 1);
        _kicksAtLastTurn = _kicks;
    }

    /// <summary>Counts a call.</summary>
    public void Called() => Volatile.Write(ref _calls, _calls + 1);

    /// <summary>Counts a call that the guest did not want.</summary>
    public void CallSuppressed() => Volatile.Write(ref _callsSuppressed, _callsSuppressed + 1);

    /// <summary>Counts a broken rule.</summary>
    public void Faulted(QueueFault fault, int times = 1) => Volatile.Write(ref _faults[(int)fault], _faults[(int)fault] + times);
}
