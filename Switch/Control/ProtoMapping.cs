using Google.Protobuf.WellKnownTypes;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Switch.DataPath.Offload;
using InterGuest.Switch.Ports;
using InterGuest.Switch.Ports.Models;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;
using V1 = InterGuest.Protos.V1;

namespace InterGuest.Switch.Control;

/// <summary>The control plane's things as messages. On the control thread, whose things they are.</summary>
internal static class ProtoMapping
{
    public static PortType ToPortType(this V1.DeviceType type) => type switch
    {
        V1.DeviceType.Unspecified or V1.DeviceType.Net => PortType.Net,
        V1.DeviceType.Block => PortType.Block,
        V1.DeviceType.BlockServer => PortType.BlockServer,
        V1.DeviceType.Console => PortType.Console,
        V1.DeviceType.Entropy => PortType.Entropy,
        V1.DeviceType.EntropySource => PortType.EntropySource,
        _ => throw new SwitchException(
            SwitchError.Invalid, $"type: {(int)type} is not a device type this switch knows; it knows {string.Join(", ", System.Enum.GetValues<PortType>().Select(t => t.Word()))}"),
    };

    public static V1.Port ToProto(this Port port, IReadOnlyList<Link> links) => new()
    {
        Name = port.Name,
        Type = port.Spec.Type.ToProto(),
        Mode = port.Spec.Mode == SocketMode.Listen ? V1.SocketMode.Listen : V1.SocketMode.Connect,
        SocketPath = port.Spec.SocketPath,
        QueuePairs = (uint)port.Spec.QueuePairs,
        SocketOwner = port.Spec.Access.Owner,
        SocketGroup = port.Spec.Access.Group,
        SocketMode = port.Spec.Access.Permissions,
        State = port.State.ToProto(),
        Fault = port.FaultReason,
        StateSince = port.StateSince.ToTimestamp(),
        Link = links.Count > 0 ? links[0].Name : "",
        Links = { links.Select(l => l.Name) },
        RunningQueuePairs = (uint)port.RunningPairs,
        OfferedFeatures = { port.Model.NamesOf(port.Offered) },
        AcceptedFeatures = { port.Model.NamesOf(port.Accepted ?? 0) },
        FrontEnd = ToProto(port.FrontEnd),
        WaitingFrontEnd = ToProto(port.WaitingFrontEnd),
        MappedBytes = port.Memory.TotalBytes,
        Mtu = (uint)port.Mtu,
        Counters = CountersOf(port),
        Queues = { port.Counters.Rings.Select((counters, ring) => QueueOf(port.Ring((uint)ring)!, counters, ring)) },
        LastMessage = port.LastMessage is { } last
            ? new V1.LastMessage { Request = SpecificationName(last.Request), Time = last.Time.ToTimestamp(), Count = (ulong)last.Count }
            : null,
        LastDisconnect = port.LastDisconnect is { } end ? new V1.Disconnect { Time = end.Time.ToTimestamp(), Problem = end.Problem } : null,
        ConnectError = port.ConnectError,
        DeviceStatus = port.DeviceStatus,
        MemoryRegions = (uint)port.Memory.RegionCount,
        Disk = DiskOf(port),
        QmpSocket = port.QmpSocket,
        Rate = port.Spec.Limits.Rate,
        Burst = port.Spec.Limits.Rate == 0 ? 0 : port.Spec.Limits.BurstBytes,
        InFlight = port.Spec.Limits.InFlight,
        Carrier = port.Spec.FollowsPeer ? V1.Carrier.Follow : V1.Carrier.Keep,
    };

    public static V1.Link ToProto(this Link link)
    {
        var message = new V1.Link
        {
            Name = link.Name,
            Ports = { link.Ports.Select(p => p.Name) },
            AdminUp = link.AdminUp,
            State = link.State switch
            {
                LinkState.Up => V1.LinkState.Up,
                LinkState.Down => V1.LinkState.Down,
                _ => V1.LinkState.Waiting,
            },
            Reason = link.Reason,
            Hold = link.Hold.ToDuration(),
            FailAfter = link.FailAfter?.ToDuration(),
            Warnings = { link.Warnings() },
            StateSince = link.StateSince.ToTimestamp(),
            Loop = (uint)link.Loop.Index,
            Policy = link.Negotiation.Policy.ToProto(),
            Negotiation = link.Negotiation.ToProto(),
            Replugs = { link.Ports.Select(p => p.Replug.ToProto(p)).OfType<V1.Replug>() },
        };
        foreach (var from in link.Ports)
        {
            var counters = link.CountersFrom(from);
            message.Directions.Add(new V1.LinkDirection
            {
                From = from.Name,
                To = link.Peer(from).Name,
                Frames = (ulong)counters.Frames,
                Bytes = (ulong)counters.Bytes,
                Drops = { counters.Drops.Select(d => Count(d.Reason, d.Count)) },
                Translation = counters.Translation.ToProto(),
            });
        }
        return message;
    }

    public static V1.EventLoop ToProto(this EventLoop loop, int links)
    {
        var message = new V1.EventLoop { Links = (uint)links, CpuTime = loop.CpuTime.ToDuration() };
        if (loop.Cpu is { } cpu)
            message.Cpu = (uint)cpu;
        return message;
    }

    public static V1.Event ToProto(this SwitchEvent happened, IReadOnlyList<Link> linksOfPort)
    {
        var message = new V1.Event
        {
            Time = happened.Time.ToTimestamp(),
            Text = happened.Text,
            Kind = happened.Kind switch
            {
                EventKind.Current => V1.EventKind.Current,
                EventKind.Created => V1.EventKind.Created,
                EventKind.Changed => V1.EventKind.Changed,
                _ => V1.EventKind.Deleted,
            },
        };
        bool gone = happened.Kind == EventKind.Deleted;
        if (happened.Port is { } port)
            message.Port = gone ? new V1.Port { Name = port.Name } : port.ToProto(linksOfPort);
        else if (happened.Link is { } link)
            message.Link = gone ? new V1.Link { Name = link.Name } : link.ToProto();
        return message;
    }

    public static V1.DeviceType ToProto(this PortType type) => type switch
    {
        PortType.Net => V1.DeviceType.Net,
        PortType.Block => V1.DeviceType.Block,
        PortType.BlockServer => V1.DeviceType.BlockServer,
        PortType.Console => V1.DeviceType.Console,
        PortType.Entropy => V1.DeviceType.Entropy,
        _ => V1.DeviceType.EntropySource,
    };

    private static V1.Translation ToProto(this TranslationCounters counters) => new()
    {
        Frames = (ulong)counters.Frames,
        Segments = (ulong)counters.Segments,
        BytesSummed = (ulong)counters.BytesSummed,
        Time = counters.Time.ToDuration(),
    };

    private static V1.PortState ToProto(this PortState state) => state switch
    {
        PortState.Waiting => V1.PortState.Waiting,
        PortState.Listening => V1.PortState.Listening,
        PortState.Connecting => V1.PortState.Connecting,
        PortState.Connected => V1.PortState.Connected,
        PortState.Negotiating => V1.PortState.Negotiating,
        PortState.Running => V1.PortState.Running,
        PortState.Stopped => V1.PortState.Stopped,
        _ => V1.PortState.Faulted,
    };

    /// <summary>SetMemoryTable is SET_MEM_TABLE.</summary>
    private static string SpecificationName(RequestCode request) => System.Enum.IsDefined(request)
        ? SnakeCase.Of(request).ToUpperInvariant().Replace("MEMORY", "MEM").Replace("_REGION", "_REG").Replace("REMOVE", "REM")
            .Replace("ADDRESS", "ADDR").Replace("_ERROR", "_ERR").Replace("REQUEST", "REQ")
        : $"{(uint)request}";

    private static V1.FrontEnd? ToProto((int Pid, uint Uid)? frontEnd) =>
        frontEnd is var (pid, uid) ? new V1.FrontEnd { Pid = pid, Uid = uid } : null;

    private static V1.Disk? DiskOf(Port port)
    {
        var disk = port.Model switch
        {
            BlockModel client => client.Disk,
            BlockServerModel { Session: { IsReady: true } session } => session.Disk,
            _ => null,
        };
        return disk == null ? null : new V1.Disk
        {
            CapacityBytes = disk.Capacity * BlockRequest.SectorBytes,
            BlockSize = disk.BlockSize,
            Id = disk.Id,
            ReadOnly = disk.Flags.HasFlag(BlockAnnouncementFlags.ReadOnly),
            Cached = disk.Flags.HasFlag(BlockAnnouncementFlags.Cached),
        };
    }

    private static V1.PortCounters CountersOf(Port port)
    {
        var counters = RingCountersOf(port);
        if (port.Model.BlockCounters is not { } disk)
            return counters;
        // Requests, where a network device has frames: what the client writes is from its guest, what it reads is to it.
        bool isClient = port.Model is BlockModel;
        (counters.TxFrames, counters.TxBytes) = isClient ? ((ulong)disk.Writes, (ulong)disk.WrittenBytes) : ((ulong)disk.Reads, (ulong)disk.ReadBytes);
        (counters.RxFrames, counters.RxBytes) = isClient ? ((ulong)disk.Reads, (ulong)disk.ReadBytes) : ((ulong)disk.Writes, (ulong)disk.WrittenBytes);
        counters.Faults.Add(disk.Faults.Select(f => Count(f.Fault, f.Count)));
        counters.FailedRequests = (ulong)disk.Errors;
        if (isClient)
            (counters.RequestsInFlight, counters.Latency) = ((ulong)disk.InFlight, LatencyOf(disk.Latency));
        return counters;
    }

    private static V1.Latency LatencyOf(RequestLatency latency)
    {
        var message = new V1.Latency { Total = latency.Sum.ToDuration() };
        var counts = latency.Counts;
        foreach (var (i, bound) in RequestLatency.UpperBounds.Index())
        {
            message.Count += (ulong)counts[i];
            message.Buckets.Add(new V1.LatencyBucket { AtMost = bound.ToDuration(), Count = message.Count });
        }
        message.Count += (ulong)counts[^1];
        return message;
    }

    private static V1.PortCounters RingCountersOf(Port port) => new()
    {
        TxFrames = (ulong)port.Counters.SentFrames,
        TxBytes = (ulong)port.Counters.SentBytes,
        RxFrames = (ulong)port.Counters.ReceivedFrames,
        RxBytes = (ulong)port.Counters.ReceivedBytes,
        Drops = { port.Counters.Drops.Select(d => Count(d.Reason, d.Count)) },
        Faults = { port.Counters.Faults.Select(f => Count(f.Fault, f.Count)) },
        Kicks = (ulong)port.Counters.Kicks,
        Calls = (ulong)port.Counters.Calls,
        Connections = (ulong)port.Connections,
        RefusedMessages = (ulong)port.RefusedMessages,
        MessageFaults = { port.MessageFaults.All.Select(f => Count(f.Fault, f.Count)) },
        LogOutOfRange = (ulong)port.LogOutOfRange,
        TimesLimited = (ulong)port.Counters.TimesLimited,
    };

    private static V1.Queue QueueOf(Vring vring, QueueCounters queue, int ring) => new()
    {
        Ring = (uint)ring,
        Frames = (ulong)queue.Traffic.Frames,
        Bytes = (ulong)queue.Traffic.Bytes,
        Drops = { queue.Traffic.Drops.Select(d => Count(d.Reason, d.Count)) },
        Faults = { queue.Faults.Select(f => Count(f.Fault, f.Count)) },
        Kicks = (ulong)queue.Kicks,
        KicksSuppressed = (ulong)queue.KicksSuppressed,
        Calls = (ulong)queue.Calls,
        CallsSuppressed = (ulong)queue.CallsSuppressed,
        Size = (uint)vring.Size,
        HasAddresses = vring.Layout != null,
        HasKick = vring.HasKick,
        Enabled = vring.Enabled,
        Running = vring.Runs,
    };

    private static V1.ReasonCount Count<T>(T reason, long count)
        where T : struct, System.Enum => new() { Reason = SnakeCase.Of(reason), Count = (ulong)count };
}
