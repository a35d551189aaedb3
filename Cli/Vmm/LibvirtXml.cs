using System.Xml.Linq;
using InterGuest.Cli.Output;
using InterGuest.Cli.Qemu;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Vmm;

/// <summary>What libvirt is told to attach a guest to a port: a pure function of the port (libvirt's formatdomain).</summary>
internal static class LibvirtXml
{
    /// <summary>Memory that another process can have, too.</summary>
    public static XElement MemoryBacking() => new("memoryBacking",
        new XElement("source", new XAttribute("type", "memfd")),
        new XElement("access", new XAttribute("mode", "shared")));

    public static XElement Device(Port port) => port.Type switch
    {
        DeviceType.Block => Disk(port),
        DeviceType.Net => Interface(port),
        _ => throw CliException.Refused("FAILED_PRECONDITION", $"port {port.Name}: libvirt has no vhost-user device of type {Words.Of(port.Type)}. 'interguest qemu {port.Name}' prints QEMU's arguments, which <qemu:commandline> takes"),
    };

    private static XElement Disk(Port port)
    {
        if (port.Mode == SocketMode.Connect)
            throw CliException.Refused("FAILED_PRECONDITION", $"port {port.Name}: libvirt's vhost-user disks connect to a socket, and so does a port in mode connect. Make the port with --mode listen");
        return new XElement("disk", new XAttribute("type", "vhostuser"), new XAttribute("device", "disk"),
            new XElement("driver", new XAttribute("name", "qemu"), new XAttribute("type", "raw"),
                port.QueuePairs > 1 ? new XAttribute("queues", port.QueuePairs) : null),
            Source(port, withMode: false),
            new XElement("target", new XAttribute("dev", "vda"), new XAttribute("bus", "virtio")));
    }

    private static XElement Interface(Port port) => new("interface", new XAttribute("type", "vhostuser"),
        new XElement("mac", new XAttribute("address", QemuText.Mac(port.Name))),
        Source(port, withMode: true),
        new XElement("model", new XAttribute("type", "virtio")),
        port.QueuePairs > 1 ? new XElement("driver", new XAttribute("queues", port.QueuePairs)) : null);

    /// <summary>The smallest domain that has it.</summary>
    public static XElement Domain(Port port) => new("domain", new XAttribute("type", "kvm"),
        new XElement("name", port.Name),
        new XElement("memory", new XAttribute("unit", "MiB"), 512),
        MemoryBacking(),
        new XElement("vcpu", Math.Max(1, port.QueuePairs)),
        new XElement("os", new XElement("type", new XAttribute("arch", "x86_64"), "hvm")),
        new XElement("devices", Device(port)));

    // The side that connects tries again, so that a restart of the other is survived.
    private static XElement Source(Port port, bool withMode)
    {
        bool listens = port.Mode == SocketMode.Connect;
        return new XElement("source",
            new XAttribute("type", "unix"),
            new XAttribute("path", port.SocketPath),
            withMode ? new XAttribute("mode", listens ? "server" : "client") : null,
            listens ? null : new XElement("reconnect", new XAttribute("enabled", "yes"), new XAttribute("timeout", 1)));
    }
}
