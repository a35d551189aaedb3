using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace InterGuest.Switch.Web;

/// <summary>A few pages over plain HTTP on an address of their own, apart from the control plane: they can be read, and change nothing.</summary>
internal sealed class HttpSite : IAsyncDisposable
{
    /// <summary>Readers at a time: a page has one or two.</summary>
    private const int MaxConnections = 64;

    /// <summary>For a reader that takes its time, when the switch ends.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly WebApplication _server;
    private readonly Uri _asked;
    private readonly bool _local;
    private readonly IReadOnlyDictionary<string, RequestDelegate> _pages;

    private HttpSite(Uri address, IReadOnlyDictionary<string, RequestDelegate> pages)
    {
        (_asked, _pages) = (address, pages);
        _local = IsLocal(address.Host);
        // Empty: neither files in the working directory nor the environment have a say in where we listen.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Listen);
        _server = builder.Build();
        _server.Run(AnswerAsync);
    }

    /// <summary>Where it is, with the real port if port 0 was asked for.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Opens the site.</summary>
    /// <param name="address">http://HOST:PORT.</param>
    /// <param name="option">The option that the owner gave it with, for errors.</param>
    /// <param name="pages">By path.</param>
    /// <param name="cancel">Ends the attempt.</param>
    /// <exception cref="SwitchException">The address cannot be listened on.</exception>
    public static async Task<HttpSite> StartAsync(
        Uri address, string option, IReadOnlyDictionary<string, RequestDelegate> pages, CancellationToken cancel)
    {
        var site = new HttpSite(address, pages);
        try
        {
            await site._server.StartAsync(cancel);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            await site.DisposeAsync();
            throw new SwitchException(SwitchError.Precondition, $"{option}: {address.Authority} cannot be listened on: {e.Message} Give another port");
        }
        site.Address = new UriBuilder(address) { Port = new Uri(site._server.Urls.First()).Port }.Uri;
        return site;
    }

    /// <summary>Answers no more requests, and lets what is being answered come to its end, for a while.</summary>
    /// <param name="cancel">Ends that at once.</param>
    public async Task StopAsync(CancellationToken cancel)
    {
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        soon.CancelAfter(Patience);
        await _server.StopAsync(soon.Token);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private void Listen(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = MaxConnections;
        if (IPAddress.TryParse(_asked.Host.Trim('[', ']'), out var address))
            kestrel.Listen(address, _asked.Port, o => o.Protocols = HttpProtocols.Http1);
        else
            kestrel.ListenLocalhost(_asked.Port, o => o.Protocols = HttpProtocols.Http1);
    }

    private Task AnswerAsync(HttpContext context)
    {
        var (request, headers) = (context.Request, context.Response.Headers);
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        // A page of somebody else, whose name was made to lead here (DNS rebinding), must not read what only this host may.
        if (_local && !IsLocal(request.Host.Host))
            return Refuse(context, StatusCodes.Status421MisdirectedRequest, "this site is for this host alone");
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
            return Refuse(context, StatusCodes.Status405MethodNotAllowed, "there is nothing here that can be changed");
        return _pages.TryGetValue(request.Path, out var page) ? page(context) : Refuse(context, StatusCodes.Status404NotFound, "there is no such page");
    }

    private static Task Refuse(HttpContext context, int status, string why)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(why + "\n");
    }

    private static bool IsLocal(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
