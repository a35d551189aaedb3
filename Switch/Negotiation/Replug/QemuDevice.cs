using System.Text.Json;
using System.Text.RegularExpressions;

namespace InterGuest.Switch.Negotiation.Replug;

/// <summary>A network device of a QEMU, with all that is needed to make it again.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Arguments">Of the device_add that makes the same again.</param>
public sealed partial record QemuDevice(string Id, IReadOnlyDictionary<string, object> Arguments)
{
    /// <summary>Where devices are that have an id.</summary>
    private const string Named = "/machine/peripheral/", Chardevs = "/chardevs/";

    /// <summary>Finds the device whose vhost-user socket is that of a port.</summary>
    /// <param name="qmp">A QEMU.</param>
    /// <param name="portSocket">The port's socket.</param>
    /// <param name="cancel">Ends the waiting.</param>
    /// <exception cref="QmpException">There is none, or it has no id, or QEMU is gone.</exception>
    public static async Task<QemuDevice> FindAsync(QmpClient qmp, string portSocket, CancellationToken cancel)
    {
        string chardev = await ChardevAsync(qmp, portSocket, cancel);
        string nic = await NicAsync(qmp, chardev, cancel);
        HashSet<string> known;
        try
        {
            var properties = await qmp.ExecuteAsync("qom-list", Arguments1("path", Named + nic), cancel);
            known = [.. properties.EnumerateArray().Select(p => QmpClient.Text(p, "name"))];
        }
        catch (QmpException)
        {
            throw new QmpException($"the network device {nic} has no id, so it cannot be plugged out. Start QEMU with -device virtio-net-pci,id=NAME,...");
        }
        return new QemuDevice(nic, await ArgumentsAsync(qmp, nic, known, cancel));
    }

    /// <summary>The same device with some of its properties off.</summary>
    public QemuDevice Without(IEnumerable<string> properties)
    {
        var arguments = new Dictionary<string, object>(Arguments);
        foreach (string property in properties.Where(arguments.ContainsKey))
            arguments[property] = false;
        return this with { Arguments = arguments };
    }

    private static async Task<Dictionary<string, object>> ArgumentsAsync(QmpClient qmp, string id, HashSet<string> known, CancellationToken cancel)
    {
        async Task<JsonElement> Get(string property) =>
            await qmp.ExecuteAsync("qom-get", new Dictionary<string, object> { ["path"] = Named + id, ["property"] = property }, cancel);

        string bus = (await Get("parent_bus")).GetString()!;
        var arguments = new Dictionary<string, object>
        {
            ["driver"] = (await Get("type")).GetString()!,
            ["id"] = id,
            ["bus"] = bus[(bus.LastIndexOf('/') + 1)..],
        };
        foreach (string property in QemuProperties.Kept.Where(known.Contains))
        {
            var value = await Get(property);
            // A string that was never set reads as an empty one, which is not a value that it can be set to; but no ROM is.
            if (value.ValueKind != JsonValueKind.String || value.GetString() != "" || property == "romfile")
                arguments[property] = value;
        }
        return arguments;
    }

    private static async Task<string> ChardevAsync(QmpClient qmp, string portSocket, CancellationToken cancel)
    {
        // What query-chardev says of a socket that is connected lacks the path.
        var chardevs = await qmp.ExecuteAsync("qom-list", Arguments1("path", Chardevs.TrimEnd('/')), cancel);
        foreach (var chardev in chardevs.EnumerateArray().Where(c => QmpClient.Text(c, "type") == "child<chardev-socket>"))
        {
            string name = QmpClient.Text(chardev, "name");
            var address = await qmp.ExecuteAsync("qom-get", new Dictionary<string, object> { ["path"] = Chardevs + name, ["property"] = "addr" }, cancel);
            if (QmpClient.Text(address, "path") == portSocket)
                return name;
        }
        throw new QmpException($"this QEMU has no character device on {portSocket}. Give the port the QMP socket of the QEMU that is attached to it");
    }

    // QMP has no query for what a network device is connected to; the monitor's "info network" says it, the same in QEMU 2 to 10.
    private static async Task<string> NicAsync(QmpClient qmp, string chardev, CancellationToken cancel)
    {
        string text = (await qmp.ExecuteAsync("human-monitor-command", Arguments1("command-line", "info network"), cancel)).GetString() ?? "";
        foreach (Match nic in Nic().Matches(text))
            if (nic.Groups["chardev"].Value == chardev)
                return nic.Groups["nic"].Value;
        throw new QmpException($"no network device of this QEMU uses the character device {chardev}");
    }

    private static Dictionary<string, object> Arguments1(string name, object value) => new() { [name] = value };

    [GeneratedRegex(@"^(?<nic>[^\s:]+): index=0,type=nic[^\n]*\n \\ [^\n]*type=vhost-user,[^\n]* to (?<chardev>[^\s,]+)", RegexOptions.Multiline)]
    private static partial Regex Nic();
}
