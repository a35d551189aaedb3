using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>A join between two guests in memory: no socket, no thread.</summary>
internal sealed class Wire : IDisposable
{
    /// <summary>A driver of the first days: a header of 10 bytes.</summary>
    public const ulong Legacy = Features.VhostUserProtocolFeatures;

    public const ulong Mergeable = TestGuest.PlainFeatures | Features.NetMergeableBuffers;

    public Wire(TestGuestOptions? sender = null, TestGuestOptions? receiver = null, TimeSpan? hold = null)
    {
        (Sender, Receiver) = (new TestGuest(sender), new TestGuest(receiver));
        Source = End(Sender, Sender.Transmit(), SenderCounters);
        Target = End(Receiver, Receiver.Receive(), ReceiverCounters);
        Join = new NetJoin(Source, Target, hold ?? TimeSpan.FromSeconds(60), Link);
    }

    public TestGuest Sender { get; }

    public TestGuest Receiver { get; }

    public QueueCounters SenderCounters { get; } = new();

    public QueueCounters ReceiverCounters { get; } = new();

    public TrafficCounters Link { get; } = new();

    public QueueEnd Source { get; }

    public QueueEnd Target { get; }

    public NetJoin Join { get; }

    public RawRing SentRing => new(Sender, Sender.Transmit());

    public RawRing ReceivedRing => new(Receiver, Receiver.Receive());

    /// <summary>The device's side of a guest's queue, over a second mapping of its memory.</summary>
    public static QueueEnd End(TestGuest guest, TestQueue queue, QueueCounters counters, int mtu = int.MaxValue)
    {
        var memory = GuestMemory.Empty.TryAdd(guest.Memory.Layout, guest.Memory.File, out string why);
        Assert.True(memory != null, why);
        var device = DeviceQueue.TryCreate(memory, queue.Driver.Layout, queue.Driver.Size, guest.Features, queue.Driver.InitialState, out why);
        Assert.True(device != null, why);
        memory.Release(); // the queue holds it
        return new QueueEnd(device, guest.Features, queue.Kick, queue.Call, counters) { Mtu = mtu };
    }

    public TransferResult Pass(int budget = 64) => Join.Transfer(budget);

    /// <summary>A frame from one guest's driver to the other's, and back to the first as used: a loop moves it.</summary>
    public void PassOne()
    {
        Sender.Transmit().Send(default, new byte[60]);
        Receiver.Receive().NextFrame(); // waits for a call, with a limit
        Sender.Transmit().NextUsed();
    }

    public long Dropped(DropReason reason) => SenderCounters.Traffic.Drops.FirstOrDefault(d => d.Reason == reason).Count;

    /// <summary>Every frame sent is delivered or in exactly one drop counter, by the port's and by the link's count.</summary>
    public void AssertAccounted(long sent, long delivered)
    {
        Assert.Equal(delivered, SenderCounters.Traffic.Frames);
        Assert.Equal(delivered, ReceiverCounters.Traffic.Frames);
        Assert.Equal(delivered, Link.Frames);
        Assert.Equal(sent - delivered, SenderCounters.Traffic.Drops.Sum(d => d.Count));
        Assert.Equal(SenderCounters.Traffic.Drops, Link.Drops);
        Assert.Equal(SenderCounters.Traffic.Bytes, ReceiverCounters.Traffic.Bytes);
        Assert.Equal(SenderCounters.Traffic.Bytes, Link.Bytes);
        Assert.Empty(ReceiverCounters.Traffic.Drops);
    }

    /// <summary>What the receiver was given back, chain by chain.</summary>
    public List<(int Token, uint Written)> Returned()
    {
        var all = new List<(int, uint)>();
        while (Receiver.Receive().Driver.TryGetUsed(out int token, out uint written))
            all.Add((token, written));
        return all;
    }

    public void Dispose()
    {
        Join.Dispose();
        Source.Dispose();
        Target.Dispose();
        Sender.Dispose();
        Receiver.Dispose();
    }
}
