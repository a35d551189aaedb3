using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;
using Xunit.Abstractions;

namespace InterGuest.Interop.Tests.Net;

/// <summary>DPDK's virtio-user in place of VMs: another front-end, another driver, at full speed.</summary>
[Collection("machine")]
public sealed class DpdkTests(ITestOutputHelper output)
{
    private const long Enough = 300_000;

    [DpdkTheory]
    [InlineData("", 1)]
    [InlineData("mrg_rxbuf=0", 1)]
    [InlineData("in_order=0", 1)]
    [InlineData("mrg_rxbuf=0,in_order=0", 1)]
    [InlineData("queue_size=1024", 1)]
    [InlineData("", 4)]
    [InlineData("mrg_rxbuf=0", 4)]
    [InlineData("packed_vq=1", 1)]
    [InlineData("packed_vq=1,mrg_rxbuf=0", 1)]
    [InlineData("packed_vq=1,in_order=0", 1)]
    [InlineData("packed_vq=1", 4)]
    [InlineData("packed_vq=1", 1, "")]
    [InlineData("", 1, "packed_vq=1,mrg_rxbuf=0")]
    [InlineData("queue_size=1024", 1, null, "2000,2000,2000")]
    [InlineData("packed_vq=1,queue_size=1024", 1, null, "2000,2000,2000")]
    [InlineData("packed_vq=1,queue_size=1024,in_order=0", 1, null, "2000,2000,2000")]
    [InlineData("packed_vq=1,queue_size=1024", 1, "queue_size=1024", "2000,2000,2000")]
    public async Task Frames_circulate_and_none_is_lost(string device, int queues, string? second_device = null, string? pieces = null)
    {
        await using var process = await SwitchProcess.StartNewAsync();
        string first = await process.CliAsync("port", "add", "a", "--queues", $"{queues}");
        string second = await process.CliAsync("port", "add", "b", "--queues", $"{queues}");
        await process.CliAsync("link", "add", "l", "a", "b");

        await using (var testpmd = await Testpmd.StartAsync(first, second, device, queues, second_device, pieces))
        {
            // DPDK does not wait for its queues to be enabled; what is sent on one that is not yet is dropped, and rightly.
            foreach (string port in new[] { "a", "b" })
                await Command.EventuallyAsync(async () => (await process.PortAsync(port)).RunningQueuePairs == queues, $"all queues of {port} run");
            await process.LinkIsUpAsync("l");
            // One burst of 32 a queue and port: all of them together fit into one ring, so that testpmd itself drops none.
            await testpmd.CirculateAsync(1);
            await Command.EventuallyAsync(async () => (await testpmd.ReceivedAsync()).Min() > Enough, "both ports receive");
            var (received, sent, dropped) = await testpmd.StopAsync();
            output.WriteLine($"{received} frames received, {sent} sent");
            Assert.Equal(0, dropped);
            // All that was sent was received, but for what was under way: at most what was set off.
            Assert.InRange(sent - received, 0, 32 * queues * 2);
            await AssertNothingWasLostAsync(process, queues);
            Assert.Equal(device.Contains("packed", StringComparison.Ordinal), (await process.PortAsync("a")).AcceptedFeatures.Contains("VIRTIO_F_RING_PACKED"));
        }
        await process.PortBecomesAsync("a", PortState.Listening);
        await process.PortBecomesAsync("b", PortState.Listening);
    }

    private static async Task AssertNothingWasLostAsync(SwitchProcess process, int queues)
    {
        var a = await process.PortAsync("a");
        var b = await process.PortAsync("b");
        Assert.Equal((uint)queues, a.RunningQueuePairs);
        Assert.Empty(a.Counters.Drops);
        Assert.Empty(b.Counters.Drops);
        Assert.Empty(a.Counters.Faults);
        Assert.Empty(b.Counters.Faults);
        Assert.True(a.Counters.TxFrames > Enough);
        Assert.True(b.Counters.TxFrames > Enough);
    }
}
