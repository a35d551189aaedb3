using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace InterGuest.Switch.Metrics;

/// <summary>
/// The observable instruments of meters in Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
/// Names become what Prometheus expects: interguest.queue.bytes is interguest_queue_bytes_total.
/// </summary>
internal sealed class PrometheusText(Func<Meter, bool> wanted)
{
    /// <summary>What the text is, for HTTP.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>How the names of the three counters end that are a histogram; the buckets' label le has their bounds.</summary>
    public const string Buckets = ".bucket", Sum = ".sum", Count = ".count";

    private static readonly string[] HistogramParts = [Buckets, Sum, Count];

    /// <summary>Reads all instruments once.</summary>
    public string Read()
    {
        var families = new SortedDictionary<string, Family>(StringComparer.Ordinal);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (!instrument.IsObservable || !wanted(instrument.Meter))
                return;
            string name = NameOf(instrument);
            if (!families.TryGetValue(name, out var family))
                families.Add(name, family = new Family(name, TypeOf(instrument), instrument.Description ?? ""));
            l.EnableMeasurementEvents(instrument, new Part(family, name + PartOf(instrument).Replace('.', '_')));
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, family) => ((Part)family!).Add(tags, value.ToString(CultureInfo.InvariantCulture)));
        listener.SetMeasurementEventCallback<int>((_, value, tags, family) => ((Part)family!).Add(tags, value.ToString(CultureInfo.InvariantCulture)));
        listener.SetMeasurementEventCallback<double>((_, value, tags, family) => ((Part)family!).Add(tags, value.ToString("R", CultureInfo.InvariantCulture)));
        listener.Start();
        listener.RecordObservableInstruments();
        return string.Concat(families.Values);
    }

    /// <summary>Prometheus' name of an instrument.</summary>
    internal static string NameOf(Instrument instrument)
    {
        string whole = instrument.Name[..^PartOf(instrument).Length];
        string name = string.Concat(whole.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        string unit = instrument.Unit switch
        {
            "By" => "bytes",
            "s" => "seconds",
            _ => "",
        };
        if (unit != "" && !name.EndsWith(unit, StringComparison.Ordinal))
            name += "_" + unit;
        return TypeOf(instrument) == "counter" ? name + "_total" : name;
    }

    /// <summary>Which part of a histogram it is; empty: it is none.</summary>
    private static string PartOf(Instrument instrument) =>
        HistogramParts.FirstOrDefault(p => instrument.Name.EndsWith(p, StringComparison.Ordinal) && instrument.Unit == "s") ?? "";

    private static string TypeOf(Instrument instrument)
    {
        if (PartOf(instrument) != "")
            return "histogram";
        var type = instrument.GetType();
        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ObservableCounter<>) ? "counter" : "gauge";
    }

    /// <summary>Where an instrument's samples go, and what they are called there.</summary>
    private sealed record Part(Family Family, string Name)
    {
        public void Add(ReadOnlySpan<KeyValuePair<string, object?>> tags, string value) => Family.Add(Name, tags, value);
    }

    private sealed class Family
    {
        private readonly StringBuilder _text = new();

        public Family(string name, string type, string help)
        {
            _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help.Replace("\\", @"\\").Replace("\n", @"\n")}\n# TYPE {name} {type}\n");
        }

        public void Add(string name, ReadOnlySpan<KeyValuePair<string, object?>> tags, string value)
        {
            _text.Append(name);
            char before = '{';
            foreach (var (label, text) in tags)
            {
                _text.Append(before).Append(string.Concat(label.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'))).Append("=\"").Append(Escape(text)).Append('"');
                before = ',';
            }
            _text.Append(before == ',' ? "} " : " ").Append(value).Append('\n');
        }

        public override string ToString() => _text.ToString();

        private static string Escape(object? value) =>
            Convert.ToString(value, CultureInfo.InvariantCulture)!.Replace("\\", @"\\").Replace("\"", "\\\"").Replace("\n", @"\n");
    }
}
