using InterGuest.Switch.Metrics;

namespace InterGuest.Switch.Web;

/// <summary>Opens the sites that the owner asked for.</summary>
internal sealed partial class ObservationHost(SwitchOptions options, SwitchMeter meter, ILogger<ObservationHost> logger) : IHostedService
{
    private readonly PrometheusText _metrics = new(m => m == meter.Meter || m.Name == MetricsHost.RuntimeMeter);
    private readonly List<HttpSite> _sites = [];

    /// <summary>Where metrics are; null: nowhere.</summary>
    public Uri? Metrics { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Metrics is { } metrics)
        {
            var pages = new Dictionary<string, RequestDelegate> { ["/metrics"] = WriteMetricsAsync };
            var site = await HttpSite.StartAsync(metrics, "--metrics", pages, cancellationToken);
            _sites.Add(site);
            Metrics = new Uri(site.Address, "/metrics");
            LogServing("metrics", Metrics);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var site in _sites)
            await site.DisposeAsync();
    }

    private Task WriteMetricsAsync(HttpContext context)
    {
        context.Response.ContentType = PrometheusText.ContentType;
        return context.Response.WriteAsync(_metrics.Read());
    }

    [LoggerMessage(LogLevel.Information, "{What} at {Address}")]
    private partial void LogServing(string what, Uri address);
}
