using InterGuest.Switch.Tests.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>vhost-user, "Ring states": after the reply to GET_VRING_BASE nothing of a ring is written, and nobody is called.</summary>
public sealed class StoppedRingTests : IDisposable
{
    private const uint Receive = 0, Transmit = 1;
    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    /// <summary>Under traffic both ways, again and again: what there is at the reply stays as it is until the ring is started.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(Features.RingEventIndex)]
    public async Task NothingIsWrittenAndNobodyIsCalledAfterTheReply(ulong features)
    {
        const int stops = 40;
        var (a, b) = _switch.Join(new() { Features = TestGuest.PlainFeatures | features, MemoryBytes = 1 << 20, ReceiveBuffers = 32 });
        using var _ = a;
        using var __ = b;
        using var stop = new CancellationTokenSource();
        var pressure = Task.Run(() => KeepSending(b, stop.Token));
        try
        {
            uint receive = 0;
            for (int i = 0; i < stops; i++)
            {
                // Until the data path is in the middle of it.
                a.Send(Frames.Numbered(i, 200));
                Wait.Until(() => new RawRing(a, a.Receive()).UsedIndex != (ushort)receive, "frames arrive");
                receive = StopAndWatch(a);
                Repost(a);
                a.StartRing(Receive, receive);
                a.StartRing(Transmit, new RawRing(a, a.Transmit()).UsedIndex);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await pressure;
        }
        Assert.Empty(_switch.Port("a").Counters.Faults);
    }

    /// <summary>Stops both rings; watches the guest's memory and doorbells while the other guest goes on.</summary>
    /// <returns>Where the receive ring stopped.</returns>
    private uint StopAndWatch(TestGuest guest)
    {
        uint receive = guest.FrontEnd.StopVring(Receive), transmit = guest.FrontEnd.StopVring(Transmit);
        var stopped = Snapshot.Of(guest);
        guest.Receive().Call.Drain();
        guest.Transmit().Call.Drain();
        Assert.Equal((receive, transmit), (stopped.ReceiveIndex, stopped.TransmitIndex));
        int sent = Volatile.Read(ref _sent);
        Wait.Until(() => Volatile.Read(ref _sent) > sent + 20, "the other guest is served");
        Assert.Equal(stopped, Snapshot.Of(guest));
        Assert.Equal((0ul, 0ul), (guest.Receive().Call.Drain(), guest.Transmit().Call.Drain()));
        return receive;
    }

    private int _sent;

    private void KeepSending(TestGuest guest, CancellationToken stop)
    {
        for (; !stop.IsCancellationRequested; Interlocked.Increment(ref _sent))
        {
            guest.Send(Frames.Numbered(_sent, 300));
            guest.Transmit().NextUsed();
        }
    }

    /// <summary>Takes what has arrived, and offers the buffers again.</summary>
    private static void Repost(TestGuest guest)
    {
        while (guest.Receive().HasUsed)
            guest.ReceiveFrame();
        while (guest.Transmit().HasUsed)
            guest.Transmit().NextUsed();
    }

    /// <summary>All of a guest's memory that a device may write, as a sum, and where its rings stand.</summary>
    private sealed record Snapshot(uint ReceiveIndex, uint TransmitIndex, string Memory)
    {
        public static Snapshot Of(TestGuest guest) => new(
            new RawRing(guest, guest.Receive()).UsedIndex,
            new RawRing(guest, guest.Transmit()).UsedIndex,
            Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(guest.Memory.At(guest.Memory.Layout.GuestAddress, (int)guest.Memory.Layout.Size))));
    }
}
