using InterGuest.Cli.Qemu;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Vmm;

/// <summary>The arguments of Cloud Hypervisor: a pure function of the port (its docs/device_model.md, vhost-user-net).</summary>
internal static class CloudHypervisorArguments
{
    public static IReadOnlyList<QemuOption> Build(Port port, string memory) =>
    [
        new("--memory", $"size={memory},shared=on"),
        // As many processors as queue pairs: it refuses more queues.
        new("--cpus", $"boot={Math.Max(1, port.QueuePairs)}"),
        new("--net", $"mac={QemuText.Mac(port.Name)},vhost_user=true,socket={Quote(port.SocketPath)},"
            + $"num_queues={2 * Math.Max(1, port.QueuePairs)},vhost_mode={(port.Mode == SocketMode.Connect ? "server" : "client")}"),
    ];

    /// <summary>In its option lists a comma separates, but not in double quotes.</summary>
    private static string Quote(string value) => value.Contains(',') ? $"\"{value}\"" : value;
}
