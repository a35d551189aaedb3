using InterGuest.Protos.V1;
using InterGuest.Virtio.Devices;
using PortType = InterGuest.Switch.Ports.PortType;

namespace InterGuest.Switch.Tests.Block;

/// <summary>A switch with a disk's link: the ports "disk" and "store".</summary>
internal sealed class BlockRig : IDisposable
{
    public BlockRig(TimeSpan? failAfter = null)
    {
        ClientSocket = Switch.AddPort("disk", queuePairs: 2, type: PortType.Block);
        ServerSocket = Switch.AddPort("store", type: PortType.BlockServer);
        Switch.Do(b => b.CreateLink("d1", ["disk", "store"], null, failAfter: failAfter));
    }

    public TestSwitch Switch { get; } = new();

    public string ClientSocket { get; }

    public string ServerSocket { get; }

    /// <summary>A server that has announced, and a client.</summary>
    public (DiskServer Server, DiskClient Client) Run(BlockAnnouncement? disk = null, ulong? features = null)
    {
        var server = new DiskServer(ServerSocket, disk).Begin();
        return (server, Client(features));
    }

    /// <summary>Links another port, "other", to the server.</summary>
    public void AddOther()
    {
        Switch.AddPort("other", queuePairs: 2, type: PortType.Block);
        Switch.AddLink("d2", "other", "store");
    }

    /// <summary>A client, as soon as its port is open.</summary>
    public DiskClient Client(ulong? features = null, string port = "disk")
    {
        var open = Switch.PortWhen(port, p => p.State != PortState.Waiting, "the port opens, for the disk is known");
        return new DiskClient(open.SocketPath, features ?? InterGuest.Testing.TestGuest.PlainFeatures);
    }

    public ulong Faults(string port, string reason) =>
        Switch.Port(port).Counters.Faults.Where(f => f.Reason == reason).Aggregate(0UL, (sum, f) => sum + f.Count);

    public void Dispose() => Switch.Dispose();
}
