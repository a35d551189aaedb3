using InterGuest.Switch.Tests.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;
using PortState = InterGuest.Protos.V1.PortState;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>
/// What Cloud Hypervisor sends, by its sources (virtio-devices/src/vhost_user): every message asks for an acknowledgement, rings
/// get their addresses before their base, the base is the available index, and a reconnect asks for no protocol features.
/// </summary>
public sealed class CloudHypervisorTests : IDisposable
{
    private const ulong Accepted =
        TestGuest.PlainFeatures | Features.NetMergeableBuffers | Features.RingEventIndex | Features.InOrder | Features.NetMultiqueue;

    private static readonly TestGuestOptions TwoPairs = new() { Features = Accepted, QueuePairs = 2, MemoryBytes = 32 << 20 };

    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    [Fact]
    public void TheDocumentedSequenceRunsAndReconnects()
    {
        string path = _switch.AddPort("ch", queuePairs: 2);
        _switch.AddPort("b");
        _switch.AddLink("wire", "ch", "b");
        using var b = TestGuest.Run(_switch.Port("b").SocketPath);
        using var guest = new TestGuest(TwoPairs);
        Connect(guest, path, again: false);
        Activate(guest);
        Assert.Equal(2u, _switch.Port("ch").RunningQueuePairs);
        Exchange.BothWays(guest, b, 100);
        for (int i = 0; i < 3; i++)
        {
            // Its back-end is gone, and comes back: all receive buffers are posted, and frames wait to be sent.
            guest.FrontEnd.Dispose();
            _switch.PortIn(PortState.Listening, "ch");
            guest.Send(Frames.Numbered(i, 100));
            Connect(guest, path, again: true);
            Activate(guest);
            // Its rings are started before they are enabled: what waited is taken, and dropped, as of every disabled ring.
            Assert.Equal(0u, guest.Transmit().NextUsed());
            Assert.Equal((ulong)i + 1, _switch.Port("ch").Dropped("queue_disabled"));
            Exchange.BothWays(guest, b, 100);
        }
        Assert.Empty(_switch.Port("ch").Counters.MessageFaults);
        Assert.Empty(_switch.Port("ch").Counters.Faults);
    }

    /// <summary>To pause it disables the rings; to reset it stops them, and says RESET_OWNER.</summary>
    [Fact]
    public void ItsPauseAndItsReset()
    {
        string path = _switch.AddPort("ch", queuePairs: 2);
        using var guest = new TestGuest(TwoPairs);
        Connect(guest, path, again: false);
        Activate(guest);
        for (uint ring = 0; ring < 4; ring++)
            guest.FrontEnd.SetVring(RequestCode.SetVringEnable, ring, 0);
        Assert.Equal(PortState.Stopped, _switch.Port("ch").State);
        for (uint ring = 0; ring < 4; ring++)
            guest.FrontEnd.SetVring(RequestCode.SetVringEnable, ring, 1);
        Exchange.ToNowhere(guest);
        for (uint ring = 0; ring < 4; ring++)
        {
            guest.FrontEnd.SetVring(RequestCode.SetVringEnable, ring, 0);
            guest.FrontEnd.StopVring(ring);
        }
        guest.FrontEnd.Do(RequestCode.ResetOwner, []);
        Activate(guest);
        Exchange.ToNowhere(guest);
    }

    private static void Connect(TestGuest guest, string path, bool again)
    {
        guest.Attach(FrontEnd.Connect(path, TestGuest.Patience));
        var f = guest.FrontEnd;
        f.Do(RequestCode.SetOwner, []);
        Assert.Equal(Accepted, f.Get(RequestCode.GetFeatures) & Accepted);
        if (again)
        {
            f.Set(RequestCode.SetFeatures, Accepted);
            f.Set(RequestCode.SetProtocolFeatures, Agreed);
            return;
        }
        Assert.Equal(Agreed, f.Get(RequestCode.GetProtocolFeatures) & Agreed);
        f.Set(RequestCode.SetProtocolFeatures, Agreed);
        Assert.True(f.Get(RequestCode.GetQueueNum) >= 4); // it counts rings
    }

    private static void Activate(TestGuest guest)
    {
        var f = guest.FrontEnd;
        f.Set(RequestCode.SetFeatures, Accepted);
        f.SetMemoryTable((guest.Memory.Layout, guest.Memory.File));
        var queues = new[] { guest.Receive(), guest.Transmit(), guest.Receive(1), guest.Transmit(1) };
        foreach (var queue in queues)
            f.SetVring(RequestCode.SetVringNum, queue.Ring, (uint)queue.Driver.Size);
        foreach (var queue in queues)
        {
            f.SetVringAddress(queue.Ring, queue.Driver.Layout);
            f.SetVring(RequestCode.SetVringBase, queue.Ring, new RawRing(guest, queue).AvailableIndex);
            f.Set(RequestCode.SetVringCall, queue.Ring, queue.Call.Descriptor);
            f.Set(RequestCode.SetVringKick, queue.Ring, queue.Kick.Descriptor);
        }
        foreach (var queue in queues)
            f.SetVring(RequestCode.SetVringEnable, queue.Ring, 1);
    }

    private const ulong Agreed = ProtocolFeatures.Multiqueue | ProtocolFeatures.ReplyAck | ProtocolFeatures.ConfigureMemorySlots;
}
