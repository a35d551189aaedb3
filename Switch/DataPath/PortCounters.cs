using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>What a port's queues did since the port was made. Written by the loop that has the port's queues, read by any thread.</summary>
public sealed class PortCounters
{
    private readonly long[] _faults = new long[Enum.GetValues<QueueFault>().Length];
    private long _kicks;
    private long _calls;

    /// <summary>From the guest.</summary>
    public TrafficCounters Sent { get; } = new();

    /// <summary>To the guest; never has drops, which are the sender's.</summary>
    public TrafficCounters Received { get; } = new();

    /// <summary>Times the guest woke us.</summary>
    public long Kicks => Volatile.Read(ref _kicks);

    /// <summary>Times we called the guest.</summary>
    public long Calls => Volatile.Read(ref _calls);

    /// <summary>Rules broken, by kind; only kinds that occurred.</summary>
    public IEnumerable<(QueueFault Fault, long Count)> Faults =>
        Enum.GetValues<QueueFault>().Select(f => (f, Volatile.Read(ref _faults[(int)f]))).Where(f => f.Item2 > 0);

    /// <summary>Counts a kick.</summary>
    public void Kicked() => Volatile.Write(ref _kicks, _kicks + 1);

    /// <summary>Counts a call.</summary>
    public void Called() => Volatile.Write(ref _calls, _calls + 1);

    /// <summary>Counts a broken rule.</summary>
    public void Faulted(QueueFault fault) => Volatile.Write(ref _faults[(int)fault], _faults[(int)fault] + 1);
}
