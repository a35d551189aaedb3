using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Where rings begin, and what they wait for.</summary>
public sealed class RingStartTests : IDisposable
{
    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    /// <summary>
    /// Cloud Hypervisor connects again with the available index as the base (cloud-hypervisor#8592, rust-vmm/vhost#375): all
    /// buffers that wait would be skipped. What is not used was not taken.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(Features.RingEventIndex)]
    [InlineData(Features.InOrder | Features.RingEventIndex)]
    public void ABaseBeyondTheUsedIndexSkipsNothing(ulong features)
    {
        var (a, b) = _switch.Join(new() { Features = TestGuest.PlainFeatures | features });
        using var _ = a;
        using var __ = b;
        Exchange.BothWays(a, b, 7);
        a.FrontEnd.Dispose();
        _switch.PortIn(PortState.Listening, "a");
        a.Send(Frames.Numbered(100, 60)); // while nobody is there
        a.Connect(_switch.Port("a").SocketPath);
        a.FrontEnd.Set(RequestCode.SetFeatures, a.Features);
        a.FrontEnd.SetMemoryTable((a.Memory.Layout, a.Memory.File));
        a.StartRing(0, new DataPath.RawRing(a, a.Receive()).AvailableIndex);
        a.StartRing(1, new DataPath.RawRing(a, a.Transmit()).AvailableIndex);
        a.FrontEnd.SetVring(RequestCode.SetVringEnable, 0, 1);
        a.FrontEnd.SetVring(RequestCode.SetVringEnable, 1, 1);
        Assert.Equal(0u, a.Transmit().NextUsed());
        Exchange.BothWays(a, b, 7);
        Assert.Equal((14u, 15u), (a.FrontEnd.StopVring(0), a.FrontEnd.StopVring(1)));
    }

    /// <summary>A base of 0 for a ring that was used, as after a crash of the front-end that kept the guest's memory.</summary>
    [Fact]
    public void ABaseBehindTheUsedIndexRepeatsNothing()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        Exchange.OneWay(a, b, 7);
        a.FrontEnd.StopVring(1);
        a.StartRing(1, 0);
        Exchange.OneWay(a, b, 7);
        Assert.Equal(14ul, _switch.Port("b").Counters.RxFrames);
    }

    /// <summary>QEMU removes regions, then adds others in their place: rings may lie in them. They wait, and go on.</summary>
    [Fact]
    public void RingsWhoseMemoryIsTakenAwayAndGivenBackGoOn()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        for (int i = 1; i <= 3; i++)
        {
            Exchange.BothWays(a, b);
            a.FrontEnd.ChangeMemory(RequestCode.RemoveMemoryRegion, a.Memory.Layout);
            var port = _switch.Port("a");
            Assert.Equal((PortState.Faulted, 0u), (port.State, port.RunningQueuePairs));
            Assert.Equal(2ul * (ulong)i, port.Counters.MessageFaults.Single(f => f.Reason == "no_shared_memory").Count);
            a.FrontEnd.ChangeMemory(RequestCode.AddMemoryRegion, a.Memory.Layout, a.Memory.File);
            Assert.Equal((PortState.Running, ""), (_switch.Port("a").State, _switch.Port("a").Fault));
        }
        Exchange.BothWays(a, b);
    }

    /// <summary>Ring addresses first, memory afterwards: no front-end does it, and nothing forbids it.</summary>
    [Fact]
    public void RingsMayComeBeforeTheirMemory()
    {
        using var guest = new TestGuest();
        guest.Connect(_switch.AddPort("a"));
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        guest.StartRing(1, 0);
        Assert.Equal(PortState.Faulted, _switch.Port("a").State);
        guest.FrontEnd.SetMemoryTable((guest.Memory.Layout, guest.Memory.File));
        guest.StartRing(0, 0);
        guest.FrontEnd.SetVring(RequestCode.SetVringEnable, 0, 1);
        guest.FrontEnd.SetVring(RequestCode.SetVringEnable, 1, 1);
        Assert.Equal(PortState.Running, _switch.Port("a").State);
        Exchange.ToNowhere(guest);
    }

    /// <summary>A ring without memory is one fault, however many messages follow.</summary>
    [Fact]
    public void ARingThatWaitsIsCountedOnce()
    {
        using var guest = new TestGuest();
        guest.Connect(_switch.AddPort("a"));
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        guest.StartRing(1, 0);
        for (int i = 0; i < 10; i++)
            guest.FrontEnd.SetVring(RequestCode.SetVringEnable, 1, (uint)(i % 2));
        Assert.Equal(1ul, _switch.Port("a").Counters.MessageFaults.Single().Count);
        guest.FrontEnd.StopVring(1);
        Assert.Equal("", _switch.Port("a").Fault);
    }
}
