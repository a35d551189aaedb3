using Google.Protobuf.WellKnownTypes;
using InterGuest.Protos.V1;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Output;

/// <summary>
/// What flowed between two pictures of the switch: differences of counters over the difference of its own clock. All
/// are null when that cannot be said: one picture only, a switch that was restarted, a port or link that is new.
/// </summary>
internal sealed class Rates
{
    private readonly SwitchStatus? _before;
    private readonly SwitchStatus _after;
    private readonly double _seconds;

    public Rates(SwitchStatus? before, SwitchStatus after)
    {
        _after = after;
        TimeSpan elapsed = Units.Span(after.Switch?.Uptime) - Units.Span(before?.Switch?.Uptime);
        bool same = before?.Switch is { } then && after.Switch is { } now
            && Started(then) == Started(now) && then.Pid == now.Pid;
        if (same && elapsed > TimeSpan.Zero)
            (_before, _seconds) = (before, elapsed.TotalSeconds);
    }

    public double? SentBits(Port port) => Port(port, counters => counters.TxBytes) * 8;

    public double? ReceivedBits(Port port) => Port(port, counters => counters.RxBytes) * 8;

    public double? Bits(Link link, LinkDirection direction) =>
        Direction(link, direction, counters => counters.Bytes) * 8;

    public double? Frames(Link link, LinkDirection direction) =>
        Direction(link, direction, counters => counters.Frames);

    public double? Drops(Link link, LinkDirection direction) =>
        Direction(link, direction, counters => counters.Drops.Aggregate(0UL, (sum, drop) => sum + drop.Count));

    public double? Translated(Link link, LinkDirection direction) =>
        Direction(link, direction, counters => counters.Translation?.Frames ?? 0);

    /// <summary>How long the requests took on average, in seconds, that ended meanwhile; null also if none did.</summary>
    public double? Latency(Port port) =>
        Port(port, counters => counters.Latency?.Count ?? 0) is { } ended and > 0
            ? Port(port, counters => (ulong)Units.Span(counters.Latency?.Total).Ticks) / TimeSpan.TicksPerSecond / ended
            : null;

    /// <summary>How much of a CPU a thread of the switch used, 1 for all of it.</summary>
    public double? Busy(int loop)
    {
        EventLoop? then = _before?.Switch.Loops.ElementAtOrDefault(loop);
        return then == null ? null : (Units.Span(_after.Switch.Loops[loop].CpuTime) - Units.Span(then.CpuTime)).TotalSeconds / _seconds;
    }

    public double? Kicks(Port port) => Port(port, counters => counters.Kicks);

    public double? Calls(Port port) => Port(port, counters => counters.Calls);

    private static Timestamp Started(SwitchInfo info) => info.Started ?? new Timestamp();

    private double? Port(Port now, Func<PortCounters, ulong> counter)
    {
        Port? then = _before?.Ports.FirstOrDefault(port => port.Name == now.Name);
        return Rate(then?.Counters, now.Counters, counter);
    }

    private double? Direction(Link now, LinkDirection direction, Func<LinkDirection, ulong> counter)
    {
        Link? then = _before?.Links.FirstOrDefault(link => link.Name == now.Name);
        LinkDirection? before =
            then?.Directions.FirstOrDefault(other => other.From == direction.From && other.To == direction.To);
        return Rate(before, direction, counter);
    }

    // Counters only grow: one that did not belongs to a new thing of an old name.
    private double? Rate<T>(T? then, T? now, Func<T, ulong> counter)
        where T : class =>
        then is null || now is null || counter(now) < counter(then) ? null : (counter(now) - counter(then)) / _seconds;
}
