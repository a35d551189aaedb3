using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Google.Protobuf;
using InterGuest.Switch.Control;
using InterGuest.Switch.Diagnosis;

namespace InterGuest.Switch.Web;

/// <summary>
/// The switch's page: one file without anything from elsewhere, and a stream of server-sent events that fills it: "status" once
/// a second, "happened" as things happen.
/// </summary>
internal sealed partial class SwitchPage(ControlService control, EventHub hub, Switchboard board, IHostApplicationLifetime lifetime)
{
    private const string Resource = "InterGuest.Switch.Web.page.html";
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));
    private readonly string _html = Load();

    /// <summary>By path.</summary>
    public IReadOnlyDictionary<string, RequestDelegate> Pages => new Dictionary<string, RequestDelegate> { ["/"] = WritePageAsync, ["/events"] = StreamAsync };

    private Task WritePageAsync(HttpContext context)
    {
        context.Response.ContentType = "text/html; charset=utf-8";
        // Names and reasons come from guests and owners: even if one became markup, nothing of it would run or be fetched.
        context.Response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; script-src {HashOf("script")}; style-src {HashOf("style")}; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        return context.Response.WriteAsync(_html);
    }

    private async Task StreamAsync(HttpContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        context.Response.ContentType = "text/event-stream";
        var subscription = await board.InvokeAsync(hub.Subscribe);
        try
        {
            while (true)
            {
                while (subscription.Events.TryRead(out var happened))
                    await SendAsync(context, "happened", $$"""{"time": {{Json.Format(happened.Time)}}, "text": {{Json.Format(Google.Protobuf.WellKnownTypes.Value.ForString(happened.Text))}}}""", ending.Token);
                await SendAsync(context, "status", await StatusAsync(), ending.Token);
                await Task.Delay(Period, ending.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The reader has gone, or the switch ends.
        }
        finally
        {
            await board.InvokeAsync(() =>
            {
                hub.Unsubscribe(subscription);
                return true;
            });
        }
    }

    private async Task<string> StatusAsync()
    {
        var status = await control.StatusAsync();
        return $$"""{"status": {{Json.Format(status)}}, "diagnosis": {{Json.Format(Doctor.Examine(status.Ports, status.Links, File.Exists))}}}""";
    }

    private static async Task SendAsync(HttpContext context, string name, string data, CancellationToken cancel)
    {
        // JSON has no line ends of its own.
        await context.Response.WriteAsync($"event: {name}\ndata: {data}\n\n", cancel);
        await context.Response.Body.FlushAsync(cancel);
    }

    private string HashOf(string element)
    {
        string text = Inline(element).Match(_html).Groups[1].Value;
        return $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}'";
    }

    private static Regex Inline(string element) => element == "script" ? Script() : Style();

    private static string Load()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Resource)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    [GeneratedRegex("<script>(.*)</script>", RegexOptions.Singleline)]
    private static partial Regex Script();

    [GeneratedRegex("<style>(.*)</style>", RegexOptions.Singleline)]
    private static partial Regex Style();
}
