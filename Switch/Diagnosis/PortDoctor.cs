using InterGuest.Protos.V1;

namespace InterGuest.Switch.Diagnosis;

/// <summary>
/// Why a port does not work: the first step that it has not come to, in the order in which a connection comes about. A pure
/// function of what the switch shows of the port; what it cannot know it calls possible.
/// </summary>
internal sealed class PortDoctor(Port port, Func<string, bool> fileExists)
{
    private readonly Report _report = new($"port {port.Name}");

    private bool IsNet => port.Type == DeviceType.Net;

    public IReadOnlyList<Finding> Examine()
    {
        switch (port.State)
        {
            case PortState.Listening:
                Listening();
                break;
            case PortState.Connecting:
                Connecting();
                break;
            case PortState.Waiting when IsNet:
                _report.Problem("carrier_cut", $"its guest's carrier is down, because it follows the other end: the link is set down, or no VMM is connected there, since {Time(port.StateSince)}",
                    $"The carrier comes back by itself with the other end, if the VMM connects again (QEMU: reconnect=1). To keep it in any case: interguest port set {port.Name} --carrier keep");
                break;
            case PortState.Faulted:
                Faulted();
                break;
            case PortState.Running:
                Running();
                break;
            case PortState.Stopped:
                _report.Problem("driver_stopped", $"the guest ran and has stopped its driver, at {Time(port.StateSince)}",
                    "It comes back when the guest starts its driver again. Possible causes: the guest is rebooting or halted, the driver was unloaded, the VM is paused");
                break;
            default:
                Starting();
                break;
        }
        if (port.WaitingFrontEnd is { } waiting)
            _report.Warning("second_front_end", $"process {waiting.Pid} is connected too and is not served: a port serves one front-end at a time",
                $"End process {port.FrontEnd?.Pid} or process {waiting.Pid}, or give one of the VMs a port of its own");
        if (port.Link == "")
            _report.Problem("not_linked", IsNet ? "it is in no link: what its guest sends is dropped" : "it is in no link: nobody serves it, and it serves nobody", $"interguest link add NAME {port.Name} OTHER");
        Losses();
        return _report.Findings;
    }

    private void Listening()
    {
        if (!fileExists(port.SocketPath))
            _report.Problem("socket_missing", $"its socket {port.SocketPath} is gone: somebody has removed the file, and no VMM can find it",
                $"Make the port anew: interguest link remove (if it is linked), port remove {port.Name}, port add {port.Name}");
        else if (port.LastDisconnect is { } end)
            _report.Problem("no_front_end", $"no VMM is connected; the last one left at {Time(end.Time)}: {(end.Problem == "" ? "it closed the connection" : end.Problem)}",
                $"Start the VM, or give QEMU's chardev reconnect=1, so that it comes back by itself; 'interguest qemu {port.Name}' prints the arguments");
        else
            _report.Problem("no_front_end", $"no VMM has connected to {port.SocketPath} since the port was opened, at {Time(port.StateSince)}",
                $"Start the VM with the arguments that 'interguest qemu {port.Name}' prints. If it runs: is this the path that it was given, and may its user write to the socket?");
    }

    private void Connecting() => _report.Problem(
        "cannot_connect",
        port.ConnectError == "" ? $"no connection to {port.SocketPath} yet" : $"connecting to {port.SocketPath} fails: {port.ConnectError}",
        "Start the VM with a listening socket at this path (QEMU: server=on), and let the switch's user write to it. The switch keeps trying");

    private void Faulted()
    {
        // A ring without memory says so itself; for programs it has a word of its own.
        bool shared = port.MemoryRegions > 0 || port.Queues.All(q => !(q.HasAddresses || q.HasKick)) || port.FrontEnd == null;
        _report.Problem(shared ? "faulted" : "memory_not_shared", $"it is stopped because its guest or VMM broke the rules, at {Time(port.StateSince)}: {port.Fault}",
            shared ? "Reset the device in the guest or restart the VM; if it comes again, the guest's driver or the VMM has a fault"
                : $"Start the VM with shared memory (share=on); 'interguest qemu {port.Name}' prints the arguments");
    }

    private void Starting()
    {
        string who = $"the VMM (process {port.FrontEnd?.Pid})";
        if (port.LastMessage is not { } last)
        {
            _report.Problem("silent_front_end", $"{who} is connected and has said nothing", "Possible causes: it is no vhost-user front-end, or it is stopped");
            return;
        }
        string stopped = $"the last of its {last.Count} messages was {last.Request}, at {Time(last.Time)}";
        var started = port.Queues.Where(q => q.Size > 0 || q.HasAddresses || q.HasKick).ToList();
        if (port.AcceptedFeatures.Count == 0 && port.MemoryRegions == 0)
            _report.Problem("no_driver", $"{who} is connected, and no driver in its guest has started the device{Status()}; {stopped}",
                $"Possible causes: the guest is still booting; it has no driver for the device{(IsNet ? " (Linux: modprobe virtio_net)" : "")}; the VM is paused");
        else if (port.MemoryRegions == 0)
            _report.Problem("memory_not_shared", $"{who} has passed the guest's features on, and shares no guest memory; {stopped}",
                $"If it stays so, start the VM with shared memory (share=on); 'interguest qemu {port.Name}' prints the arguments");
        else if (started.Count == 0)
            _report.Problem("no_rings", $"{who} shares {port.MemoryRegions} regions of memory, and has set up no ring; {stopped}",
                "It waits for the VMM. Possible causes: the VM is paused or has hung; the VMM starts rings only with the guest's driver");
        else
            Rings(who, stopped, started);
    }

    private void Rings(string who, string stopped, List<Queue> started)
    {
        var missing = started.Where(q => !IsComplete(q)).Select(q => $"ring {q.Ring} lacks {Lacks(q)}").ToList();
        if (missing.Count > 0)
            _report.Problem("rings_incomplete", $"{who} has not set up all of its rings: {string.Join("; ", missing)}. {Sentence(stopped)}", "It waits for the VMM");
        else if (started.Where(q => !q.Enabled).Select(q => q.Ring).ToList() is { Count: > 0 } disabled)
            _report.Problem("rings_disabled", $"the rings are set up, and ring {string.Join(" and ", disabled)} of them is not enabled; {stopped}",
                "It waits for the VMM to send SET_VRING_ENABLE");
        else
            _report.Problem("rings_missing", $"only ring {string.Join(" and ", started.Select(q => q.Ring))} is set up{(IsNet ? ", and it takes a receive ring (even) and the transmit ring after it" : "")}; {stopped}",
                "It waits for the VMM");
    }

    private void Running()
    {
        _report.Good("running", $"its guest runs {port.RunningQueuePairs} of {port.QueuePairs} {(IsNet ? "queue pairs" : "queues")}; {port.MappedBytes >> 20} MiB of its memory in {port.MemoryRegions} regions are shared");
        if (port.Counters.TimesLimited > 0)
            _report.Note("limited", $"its guest had to wait {port.Counters.TimesLimited} times because it wants more than the {port.Rate} bit/s that it may have",
                $"If it should have more: interguest port set {port.Name} --rate BITS");
        if (IsNet && port.Counters.TxFrames + Total(port.Counters.Drops) == 0)
            _report.Note("nothing_sent", "its guest has sent no frame so far", "If it should have: is its interface up? (Linux: ip link set IF up)");
    }

    private void Losses()
    {
        foreach (var drop in port.Counters.Drops)
            _report.Warning("drops", $"{drop.Count} frames of its guest were dropped since the switch started: {drop.Reason}", Reasons.Remedy(drop.Reason));
        foreach (var fault in port.Counters.Faults)
            _report.Warning("faults", $"its guest broke the rules {fault.Count} times since the switch started: {fault.Reason}", "The guest's driver, or whoever drives its rings, has a fault");
        if (port.Counters.RefusedMessages > 0)
            _report.Warning("refused_messages", $"{port.Counters.RefusedMessages} messages of its front-end were refused since the switch started", "The switch's log has each of them");
    }

    /// <summary>VIRTIO 1.2, 2.1: what the driver wrote, if the front-end passes it on.</summary>
    private string Status() => port.DeviceStatus switch
    {
        0 => "",
        var s when (s & 0x80) != 0 => " (the device status says FAILED: the driver gave up)",
        var s when (s & 0x4) != 0 => " (though the device status says DRIVER_OK)",
        var s when (s & 0x2) != 0 => " (the device status says DRIVER: there is one, which is not ready)",
        var s => $" (the device status is 0x{s:x})",
    };

    private static bool IsComplete(Queue queue) => queue is { Size: > 0, HasAddresses: true, HasKick: true };

    private static string Lacks(Queue queue) => string.Join(", ", new[]
    {
        queue.Size == 0 ? "its size (SET_VRING_NUM)" : null,
        queue.HasAddresses ? null : "its addresses (SET_VRING_ADDR)",
        queue.HasKick ? null : "its kick (SET_VRING_KICK)",
    }.OfType<string>());

    private static ulong Total(IEnumerable<ReasonCount> counts) => counts.Aggregate(0UL, (sum, c) => sum + c.Count);

    private static string Sentence(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static string Time(Google.Protobuf.WellKnownTypes.Timestamp time) => time.ToDateTimeOffset().ToString("yyyy-MM-dd HH:mm:ss 'UTC'", null);
}
