using System.Buffers;
using System.Diagnostics.Metrics;
using System.Text;
using InterGuest.Switch.Metrics;

namespace InterGuest.Switch.Tests.Metrics;

/// <summary>Prometheus' text format 0.0.4, to the letter.</summary>
public sealed class PrometheusTextTests
{
    [Fact]
    public void InstrumentsAreWrittenByName()
    {
        using var meter = new Meter("test");
        meter.CreateObservableGauge("z.last", () => 1.5, null, "a gauge");
        meter.CreateObservableCounter("a.first", () => new[] { new Measurement<long>(7, new("x", "1"), new("y.z", "2")), new Measurement<long>(8) }, "By", "a counter");
        meter.CreateCounter<long>("not.observable").Add(1);
        Assert.Equal(
            "# HELP a_first_bytes_total a counter\n# TYPE a_first_bytes_total counter\na_first_bytes_total{x=\"1\",y_z=\"2\"} 7\na_first_bytes_total 8\n"
            + "# HELP z_last a gauge\n# TYPE z_last gauge\nz_last 1.5\n",
            Read(meter));
    }

    [Fact]
    public void ThreeCountersOfSecondsAreAHistogram()
    {
        using var meter = new Meter("test");
        meter.CreateObservableCounter(
            "h" + PrometheusText.Buckets, () => new[] { new Measurement<long>(2, new KeyValuePair<string, object?>("le", "0.1")), new Measurement<long>(3, new KeyValuePair<string, object?>("le", "+Inf")) }, "s", "how long");
        meter.CreateObservableCounter("h" + PrometheusText.Sum, () => 1.5, "s", "how long");
        meter.CreateObservableCounter("h" + PrometheusText.Count, () => 3L, "s", "how long");
        Assert.Equal(
            "# HELP h_seconds how long\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"0.1\"} 2\nh_seconds_bucket{le=\"+Inf\"} 3\nh_seconds_sum 1.5\nh_seconds_count 3\n",
            Read(meter));
    }

    [Fact]
    public void WhatWouldEndALineOrAStringIsEscaped()
    {
        using var meter = new Meter("test");
        meter.CreateObservableGauge("g", () => new Measurement<int>(1, new KeyValuePair<string, object?>("l", "a\"b\\c\nd")), null, "one\\\ntwo");
        Assert.Equal("# HELP g one\\\\\\ntwo\n# TYPE g gauge\ng{l=\"a\\\"b\\\\c\\nd\"} 1\n", Read(meter));
    }

    /// <summary>What the first one used is used again.</summary>
    private static string Read(Meter meter)
    {
        var text = new PrometheusText(m => m == meter);
        text.Write(new ArrayBufferWriter<byte>());
        var output = new ArrayBufferWriter<byte>();
        text.Write(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
