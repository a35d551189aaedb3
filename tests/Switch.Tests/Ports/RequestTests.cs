using InterGuest.Switch.Ports;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;
using PortState = InterGuest.Protos.V1.PortState;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Requests that only some front-ends send.</summary>
public sealed class RequestTests : IDisposable
{
    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    /// <summary>vhost-user, VHOST_USER_RESET_DEVICE; QEMU from 10 on sends it at each reset of its guest's device.</summary>
    [Fact]
    public void AResetDeviceStopsItsRingsAndBeginsAnew()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        // The driver is loaded anew each time: new memory, new rings.
        using TestGuest second = new(), third = new();
        foreach (var anew in new[] { second, third })
        {
            anew.Attach(a.FrontEnd);
            a.FrontEnd.Do(RequestCode.ResetDevice, []);
            var port = _switch.Port("a");
            Assert.Equal((0u, 16ul << 20), (port.RunningQueuePairs, port.MappedBytes));
            Assert.Empty(port.AcceptedFeatures);
            anew.Start();
            Exchange.BothWays(anew, b);
        }
        Assert.Empty(_switch.Port("a").Counters.MessageFaults);
    }

    [Fact]
    public void AResetDeviceClearsAFaultAndKeepsTheErrorDoorbells()
    {
        using var error = EventFd.Create();
        using var guest = TestGuest.Run(_switch.AddPort("a"));
        guest.FrontEnd.Set(RequestCode.SetVringError, 1, error.Descriptor);
        for (int i = 0; i < 2; i++)
        {
            new DataPath.RawRing(guest, guest.Transmit()).AvailableIndex += 5000;
            guest.Transmit().Kick.Signal();
            _switch.PortIn(PortState.Faulted, "a");
            Assert.Equal(1ul, error.Drain());
            guest.FrontEnd.Do(RequestCode.ResetDevice, []);
            Assert.Equal((PortState.Negotiating, ""), (_switch.Port("a").State, _switch.Port("a").Fault)); // its memory is still there
            new DataPath.RawRing(guest, guest.Transmit()).AvailableIndex = 0;
            guest.Start();
            Assert.Equal(PortState.Running, _switch.Port("a").State);
        }
    }

    /// <summary>vhost-user, VHOST_USER_NET_SET_MTU; the front-end tells its guest by itself (VIRTIO_NET_F_MTU).</summary>
    [Fact]
    public void TheMtuIsShownUntilTheFrontEndGoes()
    {
        using (var guest = TestGuest.Run(_switch.AddPort("a")))
        {
            Assert.Equal(0u, _switch.Port("a").Mtu);
            foreach (uint mtu in new[] { 68u, 1500u, 9000u, 65535u })
            {
                guest.FrontEnd.Set(RequestCode.NetSetMtu, mtu);
                Assert.Equal(mtu, _switch.Port("a").Mtu);
            }
            Assert.NotEqual(0ul, guest.Offered & Features.NetMtu);
        }
        Assert.Equal(0u, _switch.PortIn(PortState.Listening, "a").Mtu);
    }

    /// <summary>The MTU of the front-end holds for what its guest is sent, from then on, while frames flow (VIRTIO 1.2, 5.1.3: the maximum of the link).</summary>
    [Fact]
    public void WhatIsAboveTheMtuOfTheReceiversFrontEndIsDroppedAndCounted()
    {
        const int Header = 14, Mtu = 1000;
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        a.Send(Frames.Numbered(1, Header + Mtu + 1));
        Assert.Equal(Header + Mtu + 1, b.ReceiveFrame().Length);
        b.FrontEnd.Set(RequestCode.NetSetMtu, Mtu);
        a.Send(Frames.Numbered(2, Header + Mtu + 1));
        a.Send(Frames.Numbered(3, Header + Mtu));
        Assert.Equal(Frames.Numbered(3, Header + Mtu), b.ReceiveFrame());
        Assert.Equal(1ul, _switch.Port("a").Dropped("above_mtu"));
        // It is the receiver's alone.
        b.Send(Frames.Numbered(4, Header + Mtu + 1));
        Assert.Equal(Header + Mtu + 1, a.ReceiveFrame().Length);
    }

    /// <summary>vhost-user, VHOST_USER_SEND_RARP: the guest was migrated here and does not announce itself.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(Features.NetMergeableBuffers | Features.RingEventIndex)]
    public void AMigratedGuestIsAnnouncedToTheOtherEnd(ulong features)
    {
        var (a, b) = _switch.Join(b: new() { Features = TestGuest.PlainFeatures | features });
        using var _ = a;
        using var __ = b;
        const ulong mac = 0x0605_0403_0252; // 52:02:03:04:05:06, first byte lowest
        a.FrontEnd.Set(RequestCode.SendRarp, mac);
        byte[] frame = b.ReceiveFrame();
        Assert.Equal(RarpFrame.For([0x52, 2, 3, 4, 5, 6]), frame);
        Exchange.BothWays(a, b);
        Assert.Equal(6ul, _switch.Port("b").Counters.RxFrames);
        Assert.Equal(5ul, _switch.Port("a").Counters.TxFrames); // it was not the guest's
    }

    [Fact]
    public void AnAnnouncementWithoutAnybodyToHearItIsNoFault()
    {
        using var guest = TestGuest.Run(_switch.AddPort("a"));
        guest.FrontEnd.Set(RequestCode.SendRarp, 1);
        _switch.AddPort("b");
        _switch.AddLink("wire", "a", "b");
        guest.FrontEnd.Set(RequestCode.SendRarp, 1);
        Assert.Equal((PortState.Running, ""), (_switch.Port("a").State, _switch.Port("a").Fault));
        // A peer without a single buffer.
        using var full = TestGuest.Run(_switch.Port("b").SocketPath, new() { ReceiveBuffers = 0 });
        guest.FrontEnd.Set(RequestCode.SendRarp, 1);
        Assert.Equal(0ul, _switch.Port("b").Counters.RxFrames);
    }

    /// <summary>RFC 903, and RFC 826 for its layout.</summary>
    [Fact]
    public void TheAnnouncementIsAReverseArpRequestAboutItsSender()
    {
        byte[] frame = RarpFrame.For([1, 2, 3, 4, 5, 6]);
        Assert.Equal(60, frame.Length);
        Assert.Equal("FFFFFFFFFFFF" + "010203040506" + "8035" + "0001" + "0800" + "06" + "04" + "0003"
            + "010203040506" + "00000000" + "010203040506" + "00000000", Convert.ToHexString(frame)[..84]);
        Assert.All(frame[42..], b => Assert.Equal(0, b));
    }
}
