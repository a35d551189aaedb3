using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace InterGuest.Switch.Metrics;

/// <summary>
/// The observable instruments of meters in Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
/// Names become what Prometheus expects: interguest.queue.bytes is interguest_queue_bytes_total.
/// </summary>
/// <remarks>What it writes into it keeps for the next time: the data path waits for each collection of garbage.</remarks>
internal sealed class PrometheusText(Func<Meter, bool> wanted)
{
    /// <summary>What the text is, for HTTP.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>How the names of the three counters end that are a histogram; the buckets' label le has their bounds.</summary>
    public const string Buckets = ".bucket", Sum = ".sum", Count = ".count";

    private static readonly string[] HistogramParts = [Buckets, Sum, Count];

    // A family's text goes through one of these, which keep their size.
    private readonly ConcurrentBag<ArrayBufferWriter<byte>> _buffers = [];

    /// <summary>Reads all instruments once.</summary>
    /// <param name="output">Gets the text, in UTF-8.</param>
    public void Write(IBufferWriter<byte> output)
    {
        var families = new SortedDictionary<string, Family>(StringComparer.Ordinal);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (!instrument.IsObservable || !wanted(instrument.Meter))
                return;
            string name = NameOf(instrument);
            if (!families.TryGetValue(name, out var family))
                families.Add(name, family = new Family(name, TypeOf(instrument), instrument.Description ?? "", _buffers.TryTake(out var buffer) ? buffer : new()));
            l.EnableMeasurementEvents(instrument, new Part(family, name + PartOf(instrument).Replace('.', '_')));
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, part) => ((Part)part!).Add(tags, value, ""));
        listener.SetMeasurementEventCallback<int>((_, value, tags, part) => ((Part)part!).Add(tags, value, ""));
        listener.SetMeasurementEventCallback<double>((_, value, tags, part) => ((Part)part!).Add(tags, value, "R"));
        listener.Start();
        listener.RecordObservableInstruments();
        foreach (var family in families.Values)
        {
            output.Write(family.Text.WrittenSpan);
            family.Text.ResetWrittenCount();
            _buffers.Add(family.Text);
        }
    }

    /// <summary>Prometheus' name of an instrument.</summary>
    internal static string NameOf(Instrument instrument)
    {
        string name = Plain(instrument.Name[..^PartOf(instrument).Length]);
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

    /// <summary>With the characters that a name may have, and _ for others.</summary>
    private static string Plain(string name) => string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));

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
        public void Add<T>(ReadOnlySpan<KeyValuePair<string, object?>> tags, T value, string format) where T : IUtf8SpanFormattable =>
            Family.Add(Name, tags, value, format);
    }

    private sealed class Family
    {
        private static readonly SearchValues<char> ToBeEscaped = SearchValues.Create("\\\"\n");

        // Labels are few, and named in code.
        private static readonly ConcurrentDictionary<string, string> LabelNames = new();

        public Family(string name, string type, string help, ArrayBufferWriter<byte> text)
        {
            Text = text;
            Append($"# HELP {name} {help.Replace("\\", @"\\").Replace("\n", @"\n")}\n# TYPE {name} {type}\n");
        }

        public ArrayBufferWriter<byte> Text { get; }

        public void Add<T>(string name, ReadOnlySpan<KeyValuePair<string, object?>> tags, T value, string format) where T : IUtf8SpanFormattable
        {
            Append(name);
            string before = "{";
            foreach (var (label, text) in tags)
            {
                Append(before);
                Append(LabelNames.GetOrAdd(label, Plain));
                Append("=\"");
                AppendEscaped(text);
                Append("\"");
                before = ",";
            }
            Append(before == "," ? "} " : " ");
            Append(value, format);
            Append("\n");
        }

        private void AppendEscaped(object? value)
        {
            if (value is int number)
            {
                Append(number, "");
                return;
            }
            string text = value as string ?? Convert.ToString(value, CultureInfo.InvariantCulture)!;
            Append(text.AsSpan().ContainsAny(ToBeEscaped) ? text.Replace("\\", @"\\").Replace("\"", "\\\"").Replace("\n", @"\n") : text);
        }

        private void Append(string text) => Encoding.UTF8.GetBytes(text, Text);

        private void Append<T>(T value, string format) where T : IUtf8SpanFormattable
        {
            int written;
            for (int room = 32; !value.TryFormat(Text.GetSpan(room), out written, format, CultureInfo.InvariantCulture); room *= 2)
                ;
            Text.Advance(written);
        }
    }
}
