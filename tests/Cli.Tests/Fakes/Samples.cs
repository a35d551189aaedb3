using Google.Protobuf.WellKnownTypes;
using InterGuest.Protos.V1;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Tests.Fakes;

/// <summary>A switch as one finds it.</summary>
internal static class Samples
{
    public static Port Running(string name, string link = "lan") => new()
    {
        Name = name,
        Type = DeviceType.Net,
        Mode = SocketMode.Listen,
        SocketPath = $"/run/interguest/{name}.sock",
        QueuePairs = 2,
        RunningQueuePairs = 1,
        State = PortState.Running,
        StateSince = Ago(minutes: 12),
        Link = link,
        OfferedFeatures = { "VIRTIO_F_VERSION_1", "VIRTIO_NET_F_MRG_RXBUF", "VIRTIO_NET_F_MQ" },
        AcceptedFeatures = { "VIRTIO_F_VERSION_1", "VIRTIO_NET_F_MRG_RXBUF" },
        FrontEnd = new FrontEnd { Pid = 4711, Uid = 1000 },
        MappedBytes = 512UL << 20,
        Counters = new PortCounters
        {
            TxFrames = 1_234_567,
            TxBytes = 1_500_000_000,
            RxFrames = 89,
            RxBytes = 6_000,
            Kicks = 1000,
            Calls = 2000,
            Connections = 1,
            Drops = { Count("receiver_full", 17), Count("too_long", 1) },
        },
    };

    public static Port Faulted(string name) => new()
    {
        Name = name,
        Type = DeviceType.Net,
        SocketPath = $"/run/interguest/{name}.sock",
        QueuePairs = 1,
        State = PortState.Faulted,
        StateSince = Ago(minutes: 0),
        Fault = "queue 1: descriptor 300 is outside of the table of 256",
        Counters = new PortCounters { Faults = { Count("descriptor_index", 1) } },
    };

    public static Link Up(string name, string a, string b) => new()
    {
        Name = name,
        Ports = { a, b },
        AdminUp = true,
        State = LinkState.Up,
        StateSince = Ago(minutes: 12),
        Hold = new Duration { Nanos = 500_000_000 },
        Directions =
        {
            new LinkDirection
            {
                From = a,
                To = b,
                Frames = 1_234_567,
                Bytes = 1_500_000_000,
                Drops = { Count("receiver_full", 17) },
                Translation = new Translation { Frames = 1000, Segments = 45_000, BytesSummed = 63_000_000, Time = new Duration { Nanos = 21_000_000 } },
            },
            new LinkDirection { From = b, To = a, Frames = 89, Bytes = 6_000 },
        },
    };

    public static Link Waiting(string name, string a, string b) => new()
    {
        Name = name,
        Ports = { a, b },
        AdminUp = true,
        State = LinkState.Waiting,
        Reason = $"port {b} is faulted",
        StateSince = Ago(minutes: 0),
        Hold = new Duration(),
        Warnings = { $"{a} sends segments of 64 KiB that {b} refused: ethtool -K eth0 tso off" },
    };

    public static SwitchStatus Status(double uptime = 5000, ulong moreBytes = 0, ulong moreFrames = 0)
    {
        var status = new SwitchStatus
        {
            Switch = new SwitchInfo
            {
                Version = "0.1.0",
                Pid = 4242,
                Started = Ago(minutes: 83),
                Uptime = Duration.FromTimeSpan(TimeSpan.FromSeconds(uptime)),
                SocketDirectory = "/run/interguest",
                EventLoops = 2,
                Loops = { Loop(1, uptime * 0.125, cpu: 3), Loop(0, 0.25) },
            },
            Ports = { Running("build-server"), Running("database"), Faulted("guest-3") },
            Links = { Up("lan", "build-server", "database"), Waiting("test", "guest-1", "guest-3") },
        };
        status.Ports[0].Counters.TxBytes += moreBytes;
        status.Ports[1].Counters.RxBytes += moreBytes;
        status.Links[0].Directions[0].Bytes += moreBytes;
        status.Links[0].Directions[0].Frames += moreFrames;
        return status;
    }

    private static EventLoop Loop(uint links, double seconds, uint? cpu = null)
    {
        var loop = new EventLoop { Links = links, CpuTime = Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds)) };
        if (cpu is { } bound)
            loop.Cpu = bound;
        return loop;
    }

    private static ReasonCount Count(string reason, ulong count) => new() { Reason = reason, Count = count };

    private static Timestamp Ago(int minutes) => Timestamp.FromDateTimeOffset(CliRun.Now.AddMinutes(-minutes));
}
