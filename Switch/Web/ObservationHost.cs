using InterGuest.Switch.Metrics;

namespace InterGuest.Switch.Web;

/// <summary>Opens the sites that the owner asked for.</summary>
internal sealed partial class ObservationHost(SwitchOptions options, SwitchMeter meter, SwitchPage page, ILogger<ObservationHost> logger) : IHostedService
{
    private readonly PrometheusText _metrics = new(m => m == meter.Meter || m.Name == MetricsHost.RuntimeMeter);
    private readonly List<HttpSite> _sites = [];

    /// <summary>Where metrics are; null: nowhere.</summary>
    public Uri? Metrics { get; private set; }

    /// <summary>Where the switch's page is; null: nowhere.</summary>
    public Uri? Web { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var metrics = new Dictionary<string, RequestDelegate> { ["/metrics"] = WriteMetricsAsync };
        // Told to have both in one place: there.
        bool together = options.Metrics != null && options.Metrics == options.Web && options.Metrics.Port != 0;
        if (options.Web is { } web)
            Web = (await OpenAsync(web, "--web", together ? page.Pages.Concat(metrics) : page.Pages, cancellationToken)).Address;
        if (together)
            Metrics = new Uri(Web!, "/metrics");
        else if (options.Metrics is { } address)
            Metrics = new Uri((await OpenAsync(address, "--metrics", metrics, cancellationToken)).Address, "/metrics");
        if (Metrics != null)
            LogServing("metrics are", Metrics);
        if (Web != null)
            LogServing("the page is", Web);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var site in _sites)
        {
            await site.StopAsync(cancellationToken);
            await site.DisposeAsync();
        }
    }

    private async Task<HttpSite> OpenAsync(Uri address, string option, IEnumerable<KeyValuePair<string, RequestDelegate>> pages, CancellationToken cancel)
    {
        var site = await HttpSite.StartAsync(address, option, pages.ToDictionary(), cancel);
        _sites.Add(site);
        return site;
    }

    private async Task WriteMetricsAsync(HttpContext context)
    {
        context.Response.ContentType = PrometheusText.ContentType;
        _metrics.Write(context.Response.BodyWriter);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    [LoggerMessage(LogLevel.Information, "{What} at {Address}")]
    private partial void LogServing(string what, Uri address);
}
