using System.Buffers.Binary;
using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Block;

/// <summary>A front-end that gives another inflight region back than the switch left with it (vhost-user, "Inflight I/O tracking").</summary>
public class HostileInflightTests
{
    private const int QueueSize = 64, Queues = 2;

    [Theory]
    [InlineData(8, 2)] // version
    [InlineData(10, QueueSize - 1)] // desc_num
    [InlineData(16, 2)] // inflight of the first descriptor
    public void ARegionThatWeNeverWroteFaultsThePortUntilTheNextConnection(int at, byte value)
    {
        using var rig = new BlockRig();
        using var server = new DiskServer(rig.ServerSocket).Begin();
        string socket = rig.Switch.PortWhen("disk", p => p.State != PortState.Waiting, "the port opens").SocketPath;
        using (var guest = new TestGuest(new() { QueueSize = QueueSize, ReceiveBuffers = 0 }))
        {
            guest.Connect(socket);
            guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
            using var region = InflightRegion.Create(Queues, QueueSize);
            ulong bytes = InflightRegion.Bytes(Queues, QueueSize);
            using (var memory = new DriverMemory(region.File.Duplicate(), (long)bytes, 0))
                memory.At((ulong)at, 1)[0] = value;
            guest.FrontEnd.Do(RequestCode.SetInflightFd, Description(bytes), region.File);
            guest.StartMemoryAndRings();
            Assert.Contains("inflight region", rig.Switch.PortIn(PortState.Faulted, "disk").Fault, StringComparison.Ordinal);
        }
        rig.Switch.PortIn(PortState.Listening, "disk");
        using var client = rig.Client();
        int read = client.Read(0, 512);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, read);
    }

    /// <summary>Less than the queues need, or queues of no size: refused at once.</summary>
    [Theory]
    [InlineData(1, Queues, QueueSize)]
    [InlineData(0, 0, QueueSize)]
    [InlineData(0, Queues, 0)]
    [InlineData(0, Queues, 0xffff)]
    public void ADescriptionThatCannotBeIsRefused(int missing, int queues, int size)
    {
        using var rig = new BlockRig();
        using var server = new DiskServer(rig.ServerSocket).Begin();
        using var client = rig.Client();
        using var region = InflightRegion.Create(Queues, QueueSize);
        byte[] body = Description(InflightRegion.Bytes(Queues, QueueSize) - (ulong)missing, queues, size);
        Assert.Throws<IOException>(() => client.Guest.FrontEnd.Do(RequestCode.SetInflightFd, body, region.File));
        Assert.Equal("wrong_inflight", rig.Switch.Port("disk").Counters.MessageFaults.Single().Reason);
    }

    private static byte[] Description(ulong bytes, int queues = Queues, int size = QueueSize)
    {
        byte[] body = new byte[24];
        BinaryPrimitives.WriteUInt64LittleEndian(body, bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(16), (ushort)queues);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(18), (ushort)size);
        return body;
    }
}
