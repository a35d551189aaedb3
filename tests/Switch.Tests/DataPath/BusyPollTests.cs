using InterGuest.Switch.DataPath;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>When a join looks on, and when it sleeps.</summary>
public sealed class BusyPollTests
{
    private const long Most = 800;

    [Fact]
    public void AtFirstItSleepsAtOnce()
    {
        var poll = new BusyPoll();
        Assert.False(poll.GoesOn(1000));
    }

    [Fact]
    public void WorkThatComesSoonMakesItLookForLonger()
    {
        var poll = new BusyPoll();
        var budgets = new List<long>();
        long now = 1000;
        for (int i = 0; i < 6; i++)
        {
            Assert.Equal(budgets.LastOrDefault() > 0, poll.GoesOn(now));
            poll.Woken(now += Most, Most);
            budgets.Add(Budget(poll, now += 1));
            poll.Progressed();
        }
        Assert.Equal([Most / 8, Most / 4, Most / 2, Most, Most, Most], budgets);
    }

    [Fact]
    public void WorkThatComesLateMakesItGiveUp()
    {
        var poll = new BusyPoll();
        long now = 1000;
        for (int i = 0; i < 5; i++)
            Wake(ref poll, ref now, Most);
        var budgets = new List<long>();
        for (int i = 0; i < 6; i++)
        {
            Wake(ref poll, ref now, Most + 1);
            budgets.Add(Budget(poll, now += 1));
            poll.Progressed();
        }
        Assert.Equal([Most / 2, Most / 4, Most / 8, Most / 16, 0, 0], budgets);
    }

    /// <summary>A pause of a busy sender, or of the machine, is not the end of its traffic.</summary>
    [Theory]
    [InlineData(4, Most)]
    [InlineData(3, Most / 2)]
    [InlineData(0, Most / 2)]
    public void OneLateWaitAmongThoseThatLookingEndedChangesNothing(int found, long budget)
    {
        var poll = new BusyPoll();
        long now = 1000;
        for (int i = 0; i < 5; i++)
            Wake(ref poll, ref now, Most);
        for (int i = 0; i < found; i++)
        {
            Assert.True(poll.GoesOn(++now));
            poll.Progressed();
            poll.Progressed(); // without a look before it
        }
        Wake(ref poll, ref now, Most + 1);
        Assert.Equal(budget, Budget(poll, ++now));
    }

    [Fact]
    public void NothingIsLookedForWhereNothingIsAllowed()
    {
        var poll = new BusyPoll();
        long now = 1000;
        for (int i = 0; i < 5; i++)
            Wake(ref poll, ref now, 1, most: 0);
        Assert.Equal(0, Budget(poll, now));
    }

    /// <summary>While it looks, the guest's kicks are off; before it sleeps, it asks for them.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EveryFrameArrivesHoweverTheSenderPauses(bool packed)
    {
        ulong features = TestGuest.PlainFeatures | (packed ? Virtio.Devices.Features.RingPacked : 0);
        using var wire = new Wire(new() { Features = features }, new() { Features = features });
        using var loop = new EventLoop(6999, TimeSpan.FromMicroseconds(50));
        loop.Start();
        loop.Invoke(() => loop.Add(wire.Join));
        var random = new Random(5);
        for (int i = 0; i < 3000; i++)
        {
            wire.Sender.Transmit().Send(default, new byte[60]);
            wire.Receiver.Receive().NextFrame(); // waits for a call, with a limit
            wire.Sender.Transmit().NextUsed();
            Thread.SpinWait(random.Next(3000)); // from nothing to beyond the longest look
        }
        Assert.Equal(3000, wire.Link.Frames);
        loop.Invoke(() => loop.Remove(wire.Join));
    }

    private static void Wake(ref BusyPoll poll, ref long now, long after, long most = Most)
    {
        poll.GoesOn(now);
        poll.Woken(now += after, most);
    }

    /// <summary>For how long it would look from <paramref name="now"/> on.</summary>
    private static long Budget(BusyPoll poll, long now)
    {
        long then = now;
        while (poll.GoesOn(then))
            then++;
        return then - now;
    }
}
