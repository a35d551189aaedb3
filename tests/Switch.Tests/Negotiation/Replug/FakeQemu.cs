using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace InterGuest.Switch.Tests.Negotiation.Replug;

/// <summary>A QMP server that answers as QEMU 7.2 does about one network device, and whose guest lets go of it or does not.</summary>
internal sealed class FakeQemu : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _served;
    private StreamWriter? _client;

    public FakeQemu()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen();
        _served = ServeAsync();
    }

    public string Path => _directory.At("qmp.sock");

    /// <summary>The port that its device is attached to.</summary>
    public string PortSocket { get; init; } = "/run/interguest/ports/a.sock";

    /// <summary>What it says first.</summary>
    public string Greeting { get; init; } = """{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}""";

    /// <summary>The id of the network device.</summary>
    public string Device { get; init; } = "net0";

    /// <summary>Whether the guest lets go at once.</summary>
    public bool LetsGo { get; init; } = true;

    /// <summary>The properties that the device has.</summary>
    public Dictionary<string, JsonNode?> Properties { get; init; } = new()
    {
        ["netdev"] = "a-net", ["mac"] = "52:54:00:00:00:01", ["addr"] = 0, ["romfile"] = "", ["vectors"] = 0, ["duplex"] = "", ["host_mtu"] = 0,
        ["csum"] = true, ["guest_csum"] = true, ["host_tso4"] = true, ["host_tso6"] = true, ["guest_tso4"] = true, ["mrg_rxbuf"] = true,
    };

    /// <summary>The error that a command ends with, by command; asked each time.</summary>
    public Func<string, JsonObject?, string?> Refuse { get; init; } = (_, _) => null;

    /// <summary>The commands that came, without those that only ask.</summary>
    public ConcurrentQueue<(string Command, JsonObject? Arguments)> Changes { get; } = new();

    /// <summary>Completes with each change that came.</summary>
    public Task Deleted => _deleted.Task;

    private readonly TaskCompletionSource _deleted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The guest lets go, or says that it does not.</summary>
    public Task TellAsync(string happened) =>
        SendAsync(new JsonObject { ["event"] = happened, ["data"] = new JsonObject { ["device"] = Device, ["path"] = $"/machine/peripheral/{Device}" } });

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await _served;
        _end.Dispose();
        _directory.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var socket = await _listener.AcceptAsync(_end.Token);
                await ServeOneAsync(socket);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException or IOException)
        {
            // The test is over, or its client is gone.
        }
    }

    private async Task ServeOneAsync(Socket socket)
    {
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream);
        _client = new StreamWriter(stream) { AutoFlush = true, NewLine = "\r\n" };
        await _client.WriteLineAsync(Greeting);
        while (await reader.ReadLineAsync(_end.Token) is { } line)
            await AnswerAsync(JsonNode.Parse(line)!.AsObject());
    }

    private async Task AnswerAsync(JsonObject message)
    {
        string command = message["execute"]!.GetValue<string>();
        var arguments = message["arguments"]?.AsObject();
        var id = message["id"]?.DeepClone();
        if (command is "device_add" or "device_del")
            Changes.Enqueue((command, arguments));
        if (Refuse(command, arguments) is { } error)
        {
            await SendAsync(new JsonObject { ["id"] = id, ["error"] = new JsonObject { ["class"] = "GenericError", ["desc"] = error } });
            return;
        }
        // Events come between a command and its answer, too.
        await SendAsync(new JsonObject { ["event"] = "RTC_CHANGE", ["data"] = new JsonObject { ["offset"] = 0 } });
        await SendAsync(new JsonObject { ["id"] = id, ["return"] = Value(command, arguments) });
        if (command != "device_del")
            return;
        if (LetsGo)
            await TellAsync("DEVICE_DELETED");
        _deleted.TrySetResult();
    }

    private (string Name, string Type, string? Path)[] Chardevs =>
        [("compat_monitor0", "chardev-stdio", null), ("console", "chardev-socket", "/tmp/console.sock"), ("a-char", "chardev-socket", PortSocket)];

    private JsonNode Value(string command, JsonObject? arguments) => command switch
    {
        "human-monitor-command" =>
            "other: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:09\r\n \\ o-net: index=0,type=vhost-user,vhost-user0 to other-char\r\n"
            + $"{Device}: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:01\r\n \\ a-net: index=0,type=vhost-user,vhost-user0 to a-char\r\n",
        "qom-list" when arguments!["path"]!.GetValue<string>() == "/chardevs" => new JsonArray([.. Chardevs.Select(c => new JsonObject { ["name"] = c.Name, ["type"] = $"child<{c.Type}>" })]),
        "qom-get" when Chardevs.FirstOrDefault(c => arguments!["path"]!.GetValue<string>() == $"/chardevs/{c.Name}") is { Name: not null } chardev =>
            new JsonObject { ["type"] = "unix", ["path"] = chardev.Path, ["abstract"] = false, ["tight"] = true },
        "qom-list" => new JsonArray([.. Properties.Keys.Append("type").Append("parent_bus").Select(p => new JsonObject { ["name"] = p, ["type"] = "?" })]),
        "qom-get" => arguments!["property"]!.GetValue<string>() switch
        {
            "type" => "virtio-net-pci",
            "parent_bus" => "/machine/peripheral/rp1/rp1",
            var name => Properties[name]!.DeepClone(),
        },
        _ => new JsonObject(),
    };

    private async Task SendAsync(JsonObject message) => await _client!.WriteLineAsync(message.ToJsonString(JsonSerializerOptions.Default));
}
