using InterGuest.Protos.V1;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests;

/// <summary>Sends frames from guest to guest, and counts what became of them.</summary>
internal static class Exchange
{
    /// <summary>Frames one way, one at a time, byte for byte.</summary>
    public static void OneWay(TestGuest from, TestGuest to, int count = 5, int size = 200, int pair = 0)
    {
        for (int i = 0; i < count; i++)
        {
            byte[] frame = Frames.Numbered(i, size);
            from.Transmit(pair).Send(default, frame);
            Assert.Equal(frame, to.Receive(pair).NextFrame().Frame);
            Assert.Equal(0u, from.Transmit(pair).NextUsed());
        }
    }

    public static void BothWays(TestGuest a, TestGuest b, int count = 5)
    {
        OneWay(a, b, count);
        OneWay(b, a, count);
    }

    /// <summary>Sends a frame that nobody gets, and waits until it is given back.</summary>
    public static void ToNowhere(TestGuest from, int count = 1, int pair = 0)
    {
        for (int i = 0; i < count; i++)
        {
            from.Transmit(pair).Send(default, Frames.Numbered(i, 60));
            Assert.Equal(0u, from.Transmit(pair).NextUsed());
        }
    }

    public static ulong Dropped(this Port port) => Sum(port.Counters.Drops);

    public static ulong Dropped(this Port port, string reason) => Sum(port.Counters.Drops.Where(d => d.Reason == reason));

    /// <summary>Every frame sent is counted, once.</summary>
    public static void AssertAccounted(this TestSwitch board, string port, long sent)
    {
        var seen = board.PortWhen(port, p => (long)(p.Counters.TxFrames + p.Dropped()) >= sent, $"all {sent} frames are counted");
        Assert.Equal(sent, (long)(seen.Counters.TxFrames + seen.Dropped()));
    }

    private static ulong Sum(IEnumerable<ReasonCount> counts) => counts.Aggregate(0UL, (sum, c) => sum + c.Count);
}
