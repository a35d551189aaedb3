using InterGuest.Switch.Control;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace InterGuest.Switch.Metrics;

/// <summary>Follows the switch for <see cref="SwitchView"/> from before the first port, and sends metrics to a collector if told to.</summary>
internal sealed class MetricsHost(Switchboard board, SwitchView view, SwitchMeter meter, SwitchOptions options) : IHostedService
{
    /// <summary>
    /// Series per instrument that are sent; the library keeps room for all of them. A port with one pair of queues has two, and one for each
    /// reason of a drop that occurred.
    /// </summary>
    private const int MaxSeries = 10_000;

    private MeterProvider? _export;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await board.InvokeAsync(() =>
        {
            board.Happened += view.Follow;
            return true;
        });
        if (options.Otlp is { } collector)
            _export = Export(collector);
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        // Sends what was counted since the last time.
        _export?.Dispose();
        return Task.CompletedTask;
    }

    private MeterProvider Export(Uri collector) => Sdk.CreateMeterProviderBuilder()
        .ConfigureResource(r => r.AddService("interguest-switch", serviceVersion: Product.Version))
        .AddMeter(meter.Meter.Name, RuntimeMeter)
        .AddView(_ => new MetricStreamConfiguration { CardinalityLimit = MaxSeries })
        .AddOtlpExporter(o =>
        {
            o.Endpoint = collector;
            o.Protocol = collector.AbsolutePath == "/" ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        })
        .Build();

    /// <summary>.NET's own: memory, collections, processor time.</summary>
    internal const string RuntimeMeter = "System.Runtime";
}
