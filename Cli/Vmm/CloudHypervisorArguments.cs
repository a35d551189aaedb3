using InterGuest.Cli.Output;
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
        Device(port),
    ];

    private static QemuOption Device(Port port) => port.Type switch
    {
        DeviceType.Net => new("--net", $"mac={QemuText.Mac(port.Name)},vhost_user=true,socket={Quote(port.SocketPath)},"
            + $"num_queues={2 * Math.Max(1, port.QueuePairs)},vhost_mode={(port.Mode == SocketMode.Connect ? "server" : "client")}"),
        DeviceType.Block when port.Mode == SocketMode.Connect => throw CliException.Refused("FAILED_PRECONDITION",
            $"port {port.Name}: Cloud Hypervisor's vhost-user disks connect to a socket, and so does a port in mode connect. Make the port with --mode listen"),
        DeviceType.Block => new("--disk", $"vhost_user=true,socket={Quote(port.SocketPath)},num_queues={Math.Max(1, port.QueuePairs)}"),
        _ => throw CliException.Refused("FAILED_PRECONDITION", $"port {port.Name}: Cloud Hypervisor has vhost-user devices for network and disks alone, and the port is of type {Words.Of(port.Type)}"),
    };

    /// <summary>In its option lists a comma separates, but not in double quotes.</summary>
    private static string Quote(string value) => value.Contains(',') ? $"\"{value}\"" : value;
}
