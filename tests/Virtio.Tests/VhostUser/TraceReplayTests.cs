using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.VhostUser;

/// <summary>What real front-ends sent, message by message; the traces were taken from QEMU 7.2.22 and DPDK 22.11.11.</summary>
public class TraceReplayTests
{
    [Fact]
    public void Qemu72Net()
    {
        using var replay = new TraceReplay("qemu-7.2-net");
        replay.RunUntil("SET_STATUS", occurrence: 2);
        Assert.Equal(0xf, replay.Device.Status);
        Assert.Equal(0x1_5020_bf83UL, replay.Device.Features);
        Assert.Equal((0UL, 0x1000_0000UL, 0x7f7c_2bff_f000UL), Region(replay));
        AssertRunning(replay, ring: 0, 256, 0x7f7c_2eb0_d000);
        AssertRunning(replay, ring: 1, 256, 0x7f7c_2d06_1000);
        Assert.NotNull(replay.Device.BackendRequests);

        // The status goes to 0 before the rings are stopped, and they must not mind.
        replay.RunUntil("SET_STATUS", occurrence: 1);
        AssertRunning(replay, ring: 1, 256, 0x7f7c_2d06_1000);
        replay.RunToTheEnd();
        Assert.All(replay.Device.Rings, r => Assert.Null(r.Problem));
        Assert.All(replay.Device.Rings, r => Assert.True(r.Enabled));
        Assert.Empty(replay.Refusals);
        Assert.Equal(43, replay.Messages);
    }

    [Fact]
    public void Dpdk2211VirtioUser()
    {
        using var replay = new TraceReplay("dpdk-22.11-virtio-user");
        replay.RunUntil("SET_STATUS", occurrence: 2);
        Assert.Equal(0xf, replay.Device.Status);
        Assert.Equal(0x9_5000_8000UL, replay.Device.Features);
        Assert.Equal((0x1_0033_8000UL, 0x1000_0000UL, 0x1_0033_8000UL), Region(replay));
        AssertRunning(replay, ring: 0, 256, 0x1_102d_c000);
        AssertRunning(replay, ring: 1, 256, 0x1_102d_7000);
        Assert.All(replay.Device.Rings, r => Assert.True(r.Enabled));
        replay.RunToTheEnd();
        Assert.All(replay.Device.Rings, r => Assert.False(r.Enabled));
        Assert.All(replay.Device.Rings, r => Assert.Null(r.Problem));
        Assert.Empty(replay.Refusals);
        Assert.Equal(26, replay.Messages);
    }

    /// <summary>It asks for config space and an inflight region, which this device has not: it is told so, what it sends of the region is refused, and no harm is done.</summary>
    [Fact]
    public void Qemu72BlkToADeviceWithoutConfigSpace()
    {
        using var replay = new TraceReplay("qemu-7.2-blk");
        replay.RunToTheEnd();
        Assert.Equal(0xf, replay.Device.Status);
        Assert.Equal(0x1_4000_0046UL, replay.Device.Features);
        AssertRunning(replay, ring: 0, 128, 0x7fa8_07fd_c000);
        Assert.Null(replay.Device.Rings[1].Problem);
        Assert.All(replay.Device.Rings, r => Assert.True(r.Enabled, "ring 1 is enabled without addresses"));
        Assert.Equal([32u], replay.Refusals.Select(r => (uint)r.Request));
        Assert.Equal(31, replay.Messages);
    }

    private static (ulong, ulong, ulong) Region(TraceReplay replay)
    {
        var region = Assert.Single(replay.Device.Memory.Layout);
        return (region.GuestAddress, region.Size, region.UserAddress);
    }

    private static void AssertRunning(TraceReplay replay, int ring, int size, ulong descriptors)
    {
        var state = replay.Device.Rings[ring];
        Assert.Equal("", state.Problem);
        Assert.Equal((size, descriptors), (state.Size, state.Layout.Descriptors));
        Assert.NotNull(state.Call);
    }
}
