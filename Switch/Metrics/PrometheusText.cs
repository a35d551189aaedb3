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
            l.EnableMeasurementEvents(instrument, family);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, family) => ((Family)family!).Add(tags, value.ToString(CultureInfo.InvariantCulture)));
        listener.SetMeasurementEventCallback<int>((_, value, tags, family) => ((Family)family!).Add(tags, value.ToString(CultureInfo.InvariantCulture)));
        listener.SetMeasurementEventCallback<double>((_, value, tags, family) => ((Family)family!).Add(tags, value.ToString("R", CultureInfo.InvariantCulture)));
        listener.Start();
        listener.RecordObservableInstruments();
        return string.Concat(families.Values);
    }

    /// <summary>Prometheus' name of an instrument.</summary>
    internal static string NameOf(Instrument instrument)
    {
        string name = string.Concat(instrument.Name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
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

    private static string TypeOf(Instrument instrument)
    {
        var type = instrument.GetType();
        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ObservableCounter<>) ? "counter" : "gauge";
    }

    private sealed class Family
    {
        private readonly StringBuilder _text = new();
        private readonly string _name;

        public Family(string name, string type, string help)
        {
            _name = name;
            _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help.Replace("\\", @"\\").Replace("\n", @"\n")}\n# TYPE {name} {type}\n");
        }

        public void Add(ReadOnlySpan<KeyValuePair<string, object?>> tags, string value)
        {
            _text.Append(_name);
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
