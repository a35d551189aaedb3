using System.Diagnostics.Metrics;
using System.Globalization;
using InterGuest.Switch.Control;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Switch.Ports;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace InterGuest.Switch.Metrics;

/// <summary>
/// The meter "InterGuest.Switch": the counters of the data path as instruments that are read when somebody asks, so that they
/// cost nothing when nobody does. A new counter is one line in <see cref="Define"/>.
/// </summary>
internal sealed class SwitchMeter : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string Name = "InterGuest.Switch";

    private readonly SwitchView _view;

    public SwitchMeter(SwitchView view)
    {
        (_view, Meter) = (view, new Meter(Name, Product.Version));
        Define();
    }

    public Meter Meter { get; }

    public void Dispose() => Meter.Dispose();

    private void Define()
    {
        PerQueue("frames", "{frame}", "Frames that a port's transmit queue sent and that arrived, or that its receive queue got", q => q.Traffic.Frames);
        PerQueue("bytes", "By", "Bytes of those frames, without virtio-net headers", q => q.Traffic.Bytes);
        PerQueue("drops", "{frame}", "Frames sent that did not arrive, by reason", "reason", q => q.Traffic.Drops);
        PerQueue("faults", "{fault}", "Rules that the guest broke, by kind", "kind", q => q.Faults);
        PerQueue("kicks", "{kick}", "Times the guest woke the switch", q => q.Kicks);
        PerQueue("kicks.suppressed", "{kick}", "Turns of work that needed no kick", q => q.KicksSuppressed);
        PerQueue("calls", "{call}", "Times the switch called the guest", q => q.Calls);
        PerQueue("calls.suppressed", "{call}", "Times the guest had not asked to be called", q => q.CallsSuppressed);

        PerDirection("frames", "{frame}", "Frames that arrived", c => c.Frames);
        PerDirection("bytes", "By", "Bytes of those frames, without virtio-net headers", c => c.Bytes);
        PerDirection("drops", "{frame}", "Frames that did not arrive, by reason", "reason", c => c.Drops);

        PerDirection("translated.frames", "{frame}", "Frames of which the switch did what the receiver had refused", c => c.Translation.Frames);
        PerDirection("translated.segments", "{frame}", "Frames made of those", c => c.Translation.Segments);
        PerDirection("translated.summed", "By", "Bytes that were added up for their checksums", c => c.Translation.BytesSummed);
        Meter.CreateObservableCounter(
            "interguest.link.translated", () => Directions().Select(d => new Measurement<double>(d.Counters.Translation.Time.TotalSeconds, d.Tags)), "s",
            "Time for their headers and checksums, without the copying: an estimate from samples");

        PerDisk("reads", "{request}", "Reads that were done", d => d.Reads);
        PerDisk("read", "By", "Bytes that were read", d => d.ReadBytes);
        PerDisk("writes", "{request}", "Writes, and all else that is no read, that were done", d => d.Writes);
        PerDisk("written", "By", "Bytes that were written", d => d.WrittenBytes);
        PerDisk("errors", "{request}", "Requests that ended with an error", d => d.Errors);
        Count("disk.faults", "{fault}", "Rules of serving a disk that were broken, by kind", () => Disks(_ => true).SelectMany(d => Labelled(d.Counters.Faults, "kind", [d.Tag])));
        Meter.CreateObservableGauge(
            "interguest.disk.in_flight", () => Disks(IsClient).Select(d => new Measurement<long>(d.Counters.InFlight, d.Tag)), "{request}", "Requests that were taken and are not over");
        Latency();

        PerPort("connections", "{connection}", "Connections that a front-end has made", p => p.Counters.Connections);
        PerPort("messages.refused", "{message}", "Messages from the front-end that were refused", p => p.Counters.RefusedMessages);
        PerPort("limited", "{wait}", "Times that the guest had to wait for the port's rate", p => p.Counters.TimesLimited);
        State("port", "1 for the state that the port is in", () => _view.Ports.Select(p => (p.Name, p.State)));
        State("link", "1 for the state that the link is in", () => _view.Links.Select(l => (l.Name, l.State)));
        Meter.CreateObservableGauge("interguest.switch.info", () => new Measurement<long>(1, new Tag("version", Product.Version)), null, "Always 1; the version is its label");
    }

    private void PerQueue(string name, string unit, string description, Func<QueueCounters, long> count) =>
        Count($"queue.{name}", unit, description, () => Queues().Select(q => new Measurement<long>(count(q.Counters), q.Tags)));

    private void PerQueue<T>(string name, string unit, string description, string what, Func<QueueCounters, IEnumerable<(T, long)>> counts)
        where T : struct, Enum =>
        Count($"queue.{name}", unit, description, () => Queues().SelectMany(q => Labelled(counts(q.Counters), what, q.Tags)));

    private void PerDirection(string name, string unit, string description, Func<TrafficCounters, long> count) =>
        Count($"link.{name}", unit, description, () => Directions().Select(d => new Measurement<long>(count(d.Counters), d.Tags)));

    private void PerDirection<T>(string name, string unit, string description, string what, Func<TrafficCounters, IEnumerable<(T, long)>> counts)
        where T : struct, Enum =>
        Count($"link.{name}", unit, description, () => Directions().SelectMany(d => Labelled(counts(d.Counters), what, d.Tags)));

    private void PerPort(string name, string unit, string description, Func<PortView, long> count) =>
        Count($"port.{name}", unit, description, () => _view.Ports.Select(p => new Measurement<long>(count(p), new Tag("port", p.Name))));

    private void PerDisk(string name, string unit, string description, Func<BlockCounters, long> count) =>
        Count($"disk.{name}", unit, description, () => Disks(_ => true).Select(d => new Measurement<long>(count(d.Counters), d.Tag)));

    /// <summary>A histogram as sums that are read, in place of one that is told of every request: it costs nothing when nobody reads.</summary>
    private void Latency()
    {
        const string name = "interguest.disk.latency", description = "How long requests took";
        Meter.CreateObservableCounter(name + PrometheusText.Buckets, () => Disks(IsClient).SelectMany(d => Buckets(d.Counters.Latency, d.Tag)), "s", description);
        Meter.CreateObservableCounter(name + PrometheusText.Sum, () => Disks(IsClient).Select(d => new Measurement<double>(d.Counters.Latency.Sum.TotalSeconds, d.Tag)), "s", description);
        Meter.CreateObservableCounter(name + PrometheusText.Count, () => Disks(IsClient).Select(d => new Measurement<long>(d.Counters.Latency.Counts.Sum(), d.Tag)), "s", description);
    }

    private static IEnumerable<Measurement<long>> Buckets(RequestLatency latency, Tag port)
    {
        long below = 0;
        foreach (var (i, count) in latency.Counts.Index())
        {
            below += count;
            string bound = i < RequestLatency.UpperBounds.Count ? RequestLatency.UpperBounds[i].TotalSeconds.ToString(CultureInfo.InvariantCulture) : "+Inf";
            yield return new Measurement<long>(below, port, new Tag("le", bound));
        }
    }

    private IEnumerable<(BlockCounters Counters, Tag Tag)> Disks(Func<PortView, bool> which) =>
        _view.Ports.Where(p => p.Disk != null && which(p)).Select(p => (p.Disk!, new Tag("port", p.Name)));

    private static bool IsClient(PortView port) => port.Type == PortType.Block;

    private void Count(string name, string unit, string description, Func<IEnumerable<Measurement<long>>> read) =>
        Meter.CreateObservableCounter($"interguest.{name}", read, unit, description);

    private void State<T>(string thing, string description, Func<IEnumerable<(string Name, T State)>> read)
        where T : struct, Enum =>
        Meter.CreateObservableGauge(
            $"interguest.{thing}.state",
            () => read().SelectMany(one => Enum.GetValues<T>().Select(state => new Measurement<long>(
                state.Equals(one.State) ? 1 : 0, new Tag(thing, one.Name), new Tag("state", SnakeCase.Of(state))))),
            null,
            description);

    private static IEnumerable<Measurement<long>> Labelled<T>(IEnumerable<(T What, long Count)> counts, string label, Tag[] tags)
        where T : struct, Enum =>
        counts.Select(c => new Measurement<long>(c.Count, [.. tags, new Tag(label, SnakeCase.Of(c.What))]));

    private IEnumerable<(QueueCounters Counters, Tag[] Tags)> Queues() =>
        from port in _view.Ports
        from ring in port.Counters.Rings.Index()
        select (ring.Item, new Tag[] { new("port", port.Name), new("queue", ring.Index), new("direction", DirectionOf(port.Type, ring.Index)) });

    /// <summary>As the guest sees it; of devices whose queues take requests: none.</summary>
    private static string DirectionOf(PortType type, int ring) =>
        type is not (PortType.Net or PortType.Console) ? "request" : ring % 2 == 0 ? "receive" : "transmit";

    private IEnumerable<(TrafficCounters Counters, Tag[] Tags)> Directions() =>
        from link in _view.Links
        from direction in link.Directions
        select (direction.Counters, new Tag[] { new("link", direction.Link), new("from", direction.From), new("to", direction.To) });
}
