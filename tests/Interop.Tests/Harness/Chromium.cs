using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace InterGuest.Interop.Tests.Harness;

/// <summary>A browser without a screen and one page in it, spoken to with the Chrome DevTools Protocol.</summary>
internal sealed partial class Chromium : IAsyncDisposable
{
    private readonly string _profile = Directory.CreateTempSubdirectory("ig-chromium-").FullName;
    private readonly ClientWebSocket _page = new();
    private readonly List<string> _complaints = [];
    private Process? _process;
    private int _lastCall;

    /// <summary>What the page's script failed at, or its policy refused.</summary>
    public IReadOnlyList<string> Complaints => _complaints;

    public static async Task<Chromium> StartAsync(int width, int height)
    {
        var browser = new Chromium();
        try
        {
            await browser.LaunchAsync(width, height);
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    public Task OpenAsync(Uri address) => CallAsync("Page.navigate", new JsonObject { ["url"] = address.ToString() });

    /// <summary>Light or dark, as a desktop asks for.</summary>
    public Task PreferAsync(string scheme) => CallAsync("Emulation.setEmulatedMedia", new JsonObject
    {
        ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = scheme }),
    });

    /// <summary>The value of an expression in the page.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression)
    {
        var answer = await CallAsync("Runtime.evaluate", new JsonObject { ["expression"] = expression, ["returnByValue"] = true });
        Assert.True(answer["exceptionDetails"] == null, $"{expression}: {answer}");
        return answer["result"]!["value"];
    }

    public Task UntilAsync(string expression) =>
        Command.EventuallyAsync(async () => (await EvaluateAsync(expression))?.GetValue<bool>() == true, expression);

    /// <summary>Takes a picture of the page.</summary>
    /// <returns>Where it is.</returns>
    public async Task<string> ScreenshotAsync(string name)
    {
        var answer = await CallAsync("Page.captureScreenshot", new JsonObject { ["format"] = "png", ["captureBeyondViewport"] = true });
        string path = Path.Combine(Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "artifacts")).FullName, name);
        await File.WriteAllBytesAsync(path, Convert.FromBase64String(answer["data"]!.GetValue<string>()));
        return path;
    }

    public async ValueTask DisposeAsync()
    {
        _page.Dispose();
        if (_process != null)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
        // Children of children may still be writing.
        await Command.EventuallyAsync(() => Task.FromResult(TryDelete(_profile)), "the browser's profile can be removed");
    }

    private static bool TryDelete(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
            return true;
        }
        catch (IOException)
        {
            return !Directory.Exists(directory);
        }
    }

    private async Task LaunchAsync(int width, int height)
    {
        // Without the sandbox, which root may not have: the only page it opens is ours.
        string[] arguments =
        [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            "--hide-scrollbars", $"--window-size={width},{height}", $"--user-data-dir={_profile}", "--remote-debugging-port=0", "about:blank",
        ];
        _process = Process.Start(new ProcessStartInfo("chromium", arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var listening = new TaskCompletionSource<Uri>();
        _process.ErrorDataReceived += (_, e) =>
        {
            if (e.Data != null && Listening().Match(e.Data) is { Success: true } match)
                listening.TrySetResult(new Uri(match.Groups[1].Value));
        };
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        var browser = await listening.Task.WaitAsync(Command.DefaultTimeout);
        using var http = new HttpClient();
        using var made = await http.PutAsync(new Uri($"http://{browser.Authority}/json/new?about:blank"), null);
        var page = JsonNode.Parse(await made.Content.ReadAsStringAsync())!;
        await _page.ConnectAsync(new Uri(page["webSocketDebuggerUrl"]!.GetValue<string>()), default);
        foreach (string domain in new[] { "Page", "Runtime", "Log" })
            await CallAsync($"{domain}.enable", []);
    }

    private async Task<JsonNode> CallAsync(string method, JsonObject parameters)
    {
        int id = ++_lastCall;
        string call = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters }.ToJsonString();
        using var deadline = new CancellationTokenSource(Command.DefaultTimeout);
        await _page.SendAsync(Encoding.UTF8.GetBytes(call), WebSocketMessageType.Text, true, deadline.Token);
        while (true)
        {
            var message = await ReceiveAsync(deadline.Token);
            if (message["method"]?.GetValue<string>() is "Runtime.exceptionThrown" or "Log.entryAdded")
                _complaints.Add(message.ToJsonString());
            if (message["id"]?.GetValue<int>() == id)
                return message["result"] ?? throw new InvalidOperationException($"{method}: {message}");
        }
    }

    private async Task<JsonNode> ReceiveAsync(CancellationToken cancel)
    {
        using var text = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        WebSocketReceiveResult part;
        do
        {
            part = await _page.ReceiveAsync(buffer, cancel);
            text.Write(buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);
        return JsonNode.Parse(text.ToArray()) ?? throw new JsonException("an empty message");
    }

    [GeneratedRegex("DevTools listening on (ws://.*)")]
    private static partial Regex Listening();
}
