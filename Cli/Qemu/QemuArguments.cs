using InterGuest.Protos.V1;

namespace InterGuest.Cli.Qemu;

/// <summary>The arguments that attach a guest to a port: a pure function of the port and the QEMU.</summary>
internal static class QemuArguments
{
    private const string MemoryId = "interguest-mem";

    private const string NoReceiveOffloads =
        ",guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off";

    private static readonly Version ReconnectInMilliseconds = new(9, 2);
    private static readonly Version MsixWithoutKvm = new(10, 0);
    private static readonly Version UdpSegmentation = new(8, 2);

    public static IReadOnlyList<QemuOption> Build(Port port, QemuSettings settings)
    {
        string id = QemuText.Id(port.Name);
        string path = QemuText.Escape(port.SocketPath);
        string mac = QemuText.Mac(port.Name);
        return
        [
            new("-accel", settings.Kvm ? "kvm" : "tcg"),
            new("-m", settings.Memory),
            // The switch maps the guest's memory, so it must be a file descriptor that both can have.
            new("-object", $"memory-backend-memfd,id={MemoryId},size={settings.Memory},share=on"),
            new("-machine", $"{(CanReplug(port) ? "q35," : "")}memory-backend={MemoryId}"),
            new("-chardev", $"socket,id={id}-char,path={path}{Connection(port, settings.Version)}"),
            .. Device(port, settings, id, mac),
        ];
    }

    /// <summary>
    /// A device that is plugged out and in while the guest runs has an id, by which QEMU is asked for it, and sits behind a root
    /// port: the root bus of a q35 takes no new devices.
    /// </summary>
    private static bool CanReplug(Port port) => port.Type == DeviceType.Net && port.QmpSocket != "";

    /// <summary>A guest that serves has a network device, which its own driver takes: QEMU forwards no type that would fit better.</summary>
    private static IEnumerable<QemuOption> Device(Port port, QemuSettings settings, string id, string mac) => port.Type switch
    {
        DeviceType.Block => [new("-device", $"vhost-user-blk-pci,chardev={id}-char,num-queues={port.QueuePairs}")],
        DeviceType.Entropy => [new("-device", $"vhost-user-rng-pci,chardev={id}-char")],
        _ when CanReplug(port) =>
        [
            new("-qmp", $"unix:{QemuText.Escape(port.QmpSocket)},server=on,wait=off"),
            new("-device", $"pcie-root-port,id={id}-root,slot={QemuText.Slot(port.Name)}"),
            .. Network(port, settings, id, mac, $",id={id}-nic,bus={id}-root"),
        ],
        _ => Network(port, settings, id, mac, ""),
    };

    private static IEnumerable<QemuOption> Network(Port port, QemuSettings settings, string id, string mac, string place) =>
    [
        new("-netdev", $"vhost-user,id={id}-net,chardev={id}-char{Queues(port)}"),
        new("-device", $"virtio-net-pci,netdev={id}-net{place},mac={mac}{Vectors(port, settings)}{Offloads(settings)},romfile="),
    ];

    /// <summary>
    /// QEMU before 10 uses interrupt routes that only KVM makes, and crashes, when a vhost-user-net device has MSI-X
    /// under software emulation.
    /// </summary>
    public static bool NeedsNoVectors(QemuSettings settings) => !settings.Kvm && settings.Version < MsixWithoutKvm;

    // Who connects tries again, so that a restart of the other side is survived.
    // Not QEMU's source of entropy: it speaks as soon as it is made, and one with 'reconnect' connects only after that; QEMU 7.2 aborts.
    private static string Connection(Port port, Version version) => port.Mode switch
    {
        SocketMode.Connect => ",server=on",
        _ when port.Type == DeviceType.Entropy => "",
        _ when version >= ReconnectInMilliseconds => ",reconnect-ms=1000",
        _ => ",reconnect=1",
    };

    private static string Queues(Port port) => port.QueuePairs > 1 ? $",queues={port.QueuePairs}" : "";

    private static string Vectors(Port port, QemuSettings settings)
    {
        string multiqueue = port.QueuePairs > 1 ? ",mq=on" : "";
        if (NeedsNoVectors(settings))
            return $"{multiqueue},vectors=0";
        // One for each queue, one for the control queue, one for changes of configuration.
        return port.QueuePairs > 1 ? $"{multiqueue},vectors={(2UL * port.QueuePairs) + 2}" : "";
    }

    // QEMU would let a guest turn its receive offloads off while it runs, and tells no vhost-user back-end of it: frames would
    // go on coming as agreed before. Without the command a guest knows that it cannot.
    private static string Offloads(QemuSettings settings) => ",ctrl_guest_offloads=off" + (settings switch
    {
        { PlainFrames: false } => "",
        _ when settings.Version >= UdpSegmentation => NoReceiveOffloads + ",guest_uso4=off,guest_uso6=off",
        _ => NoReceiveOffloads,
    });
}
