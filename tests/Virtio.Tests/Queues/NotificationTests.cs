using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>Kicks and calls, in both forms, step by step; <see cref="TwoThreadStressTests"/> has them at once.</summary>
public class NotificationTests
{
    private const ulong EventIndex = Features.RingEventIndex;

    /// <summary>"Passed": the index asked for is one of those from before up to, but without, now.</summary>
    [Fact]
    public void Spec_2_7_10_NeedsEventIsPassingTheIndexOnTheCircle()
    {
        var random = new Random(1);
        for (int i = 0; i < 300_000; i++)
        {
            ushort before = (ushort)random.Next(0x10000);
            int steps = random.Next(2) == 0 ? random.Next(5) : random.Next(0x10000);
            ushort asked = random.Next(2) == 0 ? (ushort)(before + random.Next(-2, 6)) : (ushort)random.Next(0x10000);
            bool passed = (ushort)(asked - before) < steps;
            Assert.Equal(passed, DeviceQueue.NeedsEvent(asked, (ushort)(before + steps), before));
        }
    }

    [Fact]
    public void Spec_2_7_7_CallsByFlags()
    {
        using var queue = new TwoSidedQueue(4);
        Assert.False(queue.Device.PublishUsed(), "there is nothing to call for");
        queue.Device.AddUsed(new ChainTicket(0, 1), 0);
        Assert.True(queue.Device.PublishUsed());
        queue.Raw.AvailableFlags = 1;
        queue.Device.AddUsed(new ChainTicket(0, 1), 0);
        Assert.False(queue.Device.PublishUsed());
        queue.Raw.AvailableFlags = 0xfffe; // other bits mean nothing
        queue.Device.AddUsed(new ChainTicket(0, 1), 0);
        Assert.True(queue.Device.PublishUsed());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0xfffd)]
    public void Spec_2_7_7_CallsByEventIndex(int start)
    {
        using var queue = new TwoSidedQueue(4, EventIndex, start: (ushort)start);
        queue.Raw.AvailableFlags = 1; // "the device MUST ignore the lower bit of flags"
        queue.Raw.UsedEvent = (ushort)(start + 2);
        queue.Device.AddUsed(new ChainTicket(0, 1), 0);
        queue.Device.PublishUsed(); // the first one may call in any case: nobody knows what was called before we came
        queue.Device.AddUsed(new ChainTicket(0, 1), 0);
        Assert.False(queue.Device.PublishUsed(), "entry 1 was not asked for");
        queue.Device.AddUsed(new ChainTicket(0, 1), 0);
        Assert.True(queue.Device.PublishUsed(), "entry 2 was");
        queue.Device.AddUsed(new ChainTicket(0, 1), 0);
        Assert.False(queue.Device.PublishUsed(), "it was called already");

        queue.Raw.UsedEvent = (ushort)(start + 5);
        for (int i = 0; i < 3; i++)
            queue.Device.AddUsed(new ChainTicket(0, 1), 0);
        Assert.True(queue.Device.PublishUsed(), "a batch of entries 4 to 6 passes 5");
    }

    /// <summary>A driver that does not ask to be called is shown the last chains later; another one, all.</summary>
    [Theory]
    [InlineData(true, 0UL, true)]
    [InlineData(false, 0UL, false)]
    [InlineData(true, EventIndex, false)]
    [InlineData(true, Features.RingPacked, true)]
    [InlineData(false, Features.RingPacked, false)]
    [InlineData(true, Features.RingPacked | EventIndex, true)]
    public void TheLastChainsMayBeShownLate(bool polls, ulong features, bool late)
    {
        using var queue = new TwoSidedQueue(16, features);
        if (polls)
            queue.Driver.DisableCalls();
        int seen = 0;
        for (int used = 1; used <= 9; used++)
        {
            Add(queue);
            queue.Driver.Publish();
            Assert.Equal(PopResult.Chain, queue.Pop());
            queue.Device.AddUsed(queue.Chain.Ticket, 0);
            Assert.Equal(late && used <= 4 ? 0 : 1, queue.Device.Due(late: 4));
            queue.Device.PublishUsed(late: 4, out _);
            seen += TakeUsed(queue);
            Assert.Equal(late ? Math.Max(0, used - 4) : used, seen);
        }
        Assert.Equal(9 - seen, queue.Device.Due(late: 0));
        queue.Device.PublishUsed();
        Assert.Equal((9 - seen, false), (TakeUsed(queue), queue.Device.HasUnpublished));
    }

    [Fact]
    public void Spec_2_7_10_KicksByFlags()
    {
        using var queue = new TwoSidedQueue(4);
        queue.Device.DisableKicks();
        Assert.Equal(1, queue.Raw.UsedFlags);
        Add(queue);
        Assert.False(queue.Driver.Publish());
        Assert.True(queue.Device.EnableKicks(), "it came before our wish was seen: its kick may not come");
        Assert.Equal(0, queue.Raw.UsedFlags);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.False(queue.Device.EnableKicks());
        Add(queue);
        Assert.True(queue.Driver.Publish());
    }

    /// <summary>All the ways in which the driver's publish and our wish to be kicked can follow each other, over the wrap.</summary>
    [Fact]
    public void Spec_2_7_10_KicksByEventIndexAndTheRecheck()
    {
        using var queue = new TwoSidedQueue(4, EventIndex);
        for (int i = 0; i < 66_000; i++)
        {
            queue.Device.DisableKicks();
            Assert.Equal(0, queue.Raw.UsedFlags); // "MUST set flags to 0"
            bool early = i % 3 == 0;
            if (early)
            {
                Add(queue);
                queue.Driver.Publish();
            }
            Assert.Equal(early, queue.Device.EnableKicks());
            if (!early)
            {
                Assert.Equal((ushort)i, queue.Raw.AvailableEvent);
                Add(queue);
                Assert.True(queue.Driver.Publish(), $"chain {i}: no kick, and nobody looks");
            }
            Assert.Equal(PopResult.Chain, queue.Pop());
            GiveBack(queue);
            Assert.True(queue.Driver.TryGetUsed(out _, out _));
        }
    }

    [Fact]
    public void Spec_2_7_10_OneKickForABatch()
    {
        using var queue = new TwoSidedQueue(8, EventIndex);
        Assert.False(queue.Device.EnableKicks());
        for (int i = 0; i < 3; i++)
            Add(queue);
        Assert.True(queue.Driver.Publish());
        Add(queue);
        Assert.False(queue.Driver.Publish(), "the index asked for is passed");
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(EventIndex)]
    public void Spec_2_7_7_DriversRecheckAndCalls(ulong features)
    {
        using var queue = new TwoSidedQueue(4, features);
        for (int i = 0; i < 66_000; i++)
        {
            queue.Driver.DisableCalls();
            Assert.Equal(features == 0 ? 1 : 0, queue.Raw.AvailableFlags);
            Add(queue);
            queue.Driver.Publish();
            Assert.Equal(PopResult.Chain, queue.Pop());
            bool early = i % 3 == 0;
            if (early)
                GiveBack(queue);
            Assert.Equal(early, queue.Driver.EnableCalls());
            if (!early)
                Assert.True(GiveBack(queue), $"chain {i}: no call, and nobody looks");
            Assert.True(queue.Driver.TryGetUsed(out _, out _));
        }
    }

    private static void Add(TwoSidedQueue queue) =>
        Assert.True(queue.Driver.TryAdd([new DriverBuffer(TwoSidedQueue.GuestBase, 1)], [], 0));

    private static int TakeUsed(TwoSidedQueue queue)
    {
        int taken = 0;
        while (queue.Driver.TryGetUsed(out _, out _))
            taken++;
        return taken;
    }

    private static bool GiveBack(TwoSidedQueue queue)
    {
        queue.Device.AddUsed(queue.Chain.Ticket, 0);
        return queue.Device.PublishUsed();
    }
}
