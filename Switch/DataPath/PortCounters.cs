using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>What a port did since it was made: its rings' counters, and their sums. Read by any thread.</summary>
/// <param name="rings">How many rings it has: receive and transmit in turn.</param>
public sealed class PortCounters(int rings)
{
    private long _connections;
    private long _refusedMessages;
    private long _limited;

    /// <summary>Ring by ring, by index.</summary>
    public IReadOnlyList<QueueCounters> Rings { get; } = [.. Enumerable.Range(0, rings).Select(_ => new QueueCounters())];

    /// <summary>Connections that a front-end has made.</summary>
    public long Connections => Volatile.Read(ref _connections);

    /// <summary>Messages from the front-end that were not done.</summary>
    public long RefusedMessages => Volatile.Read(ref _refusedMessages);

    /// <summary>Times that its guest had to wait for its limit.</summary>
    public long TimesLimited => Volatile.Read(ref _limited);

    /// <summary>Frames from the guest.</summary>
    public long SentFrames => Sum(Transmit, q => q.Traffic.Frames);

    /// <summary>Bytes from the guest.</summary>
    public long SentBytes => Sum(Transmit, q => q.Traffic.Bytes);

    /// <summary>Frames to the guest.</summary>
    public long ReceivedFrames => Sum(Receive, q => q.Traffic.Frames);

    /// <summary>Bytes to the guest.</summary>
    public long ReceivedBytes => Sum(Receive, q => q.Traffic.Bytes);

    /// <summary>Frames from the guest that were dropped, by reason; only reasons that occurred.</summary>
    public IEnumerable<(DropReason Reason, long Count)> Drops =>
        Transmit.SelectMany(q => q.Traffic.Drops).GroupBy(d => d.Reason, (reason, all) => (reason, all.Sum(d => d.Count))).OrderBy(d => d.reason);

    /// <summary>Rules broken, by kind; only kinds that occurred.</summary>
    public IEnumerable<(QueueFault Fault, long Count)> Faults =>
        Rings.SelectMany(q => q.Faults).GroupBy(f => f.Fault, (fault, all) => (fault, all.Sum(f => f.Count))).OrderBy(f => f.fault);

    /// <summary>Times the guest woke us.</summary>
    public long Kicks => Sum(Rings, q => q.Kicks);

    /// <summary>Times we called the guest.</summary>
    public long Calls => Sum(Rings, q => q.Calls);

    /// <summary>Counts a connection. On the control thread.</summary>
    public void Connected() => Volatile.Write(ref _connections, _connections + 1);

    /// <summary>Counts a message that was not done. On the control thread.</summary>
    public void Refused() => Volatile.Write(ref _refusedMessages, _refusedMessages + 1);

    /// <summary>Counts a wait for the limit. In the loop that has the rings.</summary>
    public void Limited() => Volatile.Write(ref _limited, _limited + 1);

    private IEnumerable<QueueCounters> Receive => Rings.Where((_, ring) => ring % 2 == 0);

    private IEnumerable<QueueCounters> Transmit => Rings.Where((_, ring) => ring % 2 == 1);

    private static long Sum(IEnumerable<QueueCounters> rings, Func<QueueCounters, long> count) => rings.Sum(count);
}
