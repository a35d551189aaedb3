using System.Diagnostics.Metrics;
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
            new PrometheusText(m => m == meter).Read());
    }

    [Fact]
    public void WhatWouldEndALineOrAStringIsEscaped()
    {
        using var meter = new Meter("test");
        meter.CreateObservableGauge("g", () => new Measurement<int>(1, new KeyValuePair<string, object?>("l", "a\"b\\c\nd")), null, "one\\\ntwo");
        Assert.Equal("# HELP g one\\\\\\ntwo\n# TYPE g gauge\ng{l=\"a\\\"b\\\\c\\nd\"} 1\n", new PrometheusText(m => m == meter).Read());
    }
}
