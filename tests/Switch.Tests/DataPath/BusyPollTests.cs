using InterGuest.Switch.DataPath;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>When a loop looks on, and when it sleeps.</summary>
public sealed class BusyPollTests
{
    private const long Worth = 800;

    [Fact]
    public void AtFirstItSleepsAtOnce()
    {
        var poll = new BusyPoll(Worth);
        Assert.False(poll.GoesOn(1000));
    }

    [Fact]
    public void WorkThatCameSoonMakesItLook()
    {
        var poll = new BusyPoll(Worth);
        long now = 1000;
        Sleep(ref poll, ref now, Worth - 100);
        Assert.Equal(100, LongestLook(poll, now));
        Sleep(ref poll, ref now, 50);
        Assert.Equal(850, LongestLook(poll, now));
    }

    [Fact]
    public void NoLookIsLongerThanFourTimesWhatItIsWorth()
    {
        long now = 1000;
        var poll = Busy(ref now);
        Assert.Equal(4 * Worth, LongestLook(poll, now));
    }

    /// <summary>A pause of a busy sender, or of the machine, is not the end of its traffic; some of them after each other are.</summary>
    [Fact]
    public void WhatLookingSavedIsSpentOnLookingInVain()
    {
        long now = 1000;
        var poll = Busy(ref now);
        var looks = new List<long>();
        for (int i = 0; i < 6; i++)
        {
            looks.Add(LongestLook(poll, now));
            Sleep(ref poll, ref now, 100 * Worth);
        }
        Assert.Equal([4 * Worth, 4 * Worth, 4 * Worth, 4 * Worth, 0, 0], looks);
    }

    /// <summary>Work that is found, but takes longer each time than finding it is worth, is slept for in the end.</summary>
    [Theory]
    [InlineData(Worth * 9 / 10, true)]
    [InlineData(Worth * 11 / 10, false)]
    public void ItLooksOnWhereWorkComesSoonEnoughOnAverage(long wait, bool looks)
    {
        long now = 1000;
        var poll = Busy(ref now);
        for (int i = 0; i < 1000; i++)
            Look(ref poll, ref now, i % 2 == 0 ? wait - 50 : wait + 50);
        Assert.Equal(looks, LongestLook(poll, now) > wait);
    }

    /// <summary>The machine may take long to wake a thread: no wait looks short then, though work came at once.</summary>
    [Fact]
    public void ItTriesToLookNowAndThenWhereAllWaitsWereLong()
    {
        var poll = new BusyPoll(Worth);
        long now = 1000;
        int tries = 0;
        for (int i = 0; i < 160; i++)
        {
            tries += LongestLook(poll, now) > 0 ? 1 : 0;
            Sleep(ref poll, ref now, 2 * Worth);
        }
        Assert.Equal(9, tries); // one of 16, and the last one is to come

        long after = now;
        while (LongestLook(poll, after) == 0)
            Sleep(ref poll, ref after, 2 * Worth);
        for (int i = 0; i < 100; i++)
            Look(ref poll, ref after, 10);
        Assert.Equal(4 * Worth, LongestLook(poll, after));
    }

    [Fact]
    public void NothingIsLookedForWhereNothingIsAllowed()
    {
        var poll = new BusyPoll(0);
        long now = 1000;
        for (int i = 0; i < 50; i++)
        {
            Sleep(ref poll, ref now, 1);
            Assert.Equal(0, LongestLook(poll, now));
        }
    }

    /// <summary>While a loop is awake for one join, the guest of another need not kick.</summary>
    [Fact]
    public void AJoinInCompanyAsksForNoKickAtOnce()
    {
        using var busy = new Wire();
        using var slow = new Wire();
        using var loop = new EventLoop(6998, TimeSpan.FromMilliseconds(100));
        loop.Start();
        loop.Invoke(() => loop.Add(busy.Join));
        loop.Invoke(() => loop.Add(slow.Join));
        slow.PassOne();
        for (int i = 0; i < 2000; i++)
            busy.PassOne();
        long kicks = slow.SenderCounters.Kicks;
        for (int i = 0; i < 20; i++)
        {
            slow.PassOne();
            busy.PassOne();
        }
        Assert.InRange(slow.SenderCounters.Kicks - kicks, 0, 5);
        loop.Invoke(() => loop.Remove(busy.Join));
        loop.Invoke(() => loop.Remove(slow.Join));
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
            wire.PassOne();
            Thread.SpinWait(random.Next(3000)); // from nothing to beyond the longest look
        }
        Assert.Equal(3000, wire.Link.Frames);
        loop.Invoke(() => loop.Remove(wire.Join));
    }

    /// <summary>One that found work so often, and so soon, that it has saved all it may.</summary>
    private static BusyPoll Busy(ref long now)
    {
        var poll = new BusyPoll(Worth);
        for (int i = 0; i < 100; i++)
            Look(ref poll, ref now, 1);
        return poll;
    }

    /// <summary>Work comes after so long, and nothing was found until it slept.</summary>
    private static void Sleep(ref BusyPoll poll, ref long now, long after)
    {
        long asleep = now + LongestLook(poll, now);
        poll.GoesOn(now);
        poll.GoesOn(asleep);
        poll.Woken(now += after);
        poll.Progressed();
        now++;
    }

    /// <summary>Work comes after so long, while it looks or not: if not, it sleeps until then.</summary>
    private static void Look(ref BusyPoll poll, ref long now, long after)
    {
        if (LongestLook(poll, now) <= after)
        {
            Sleep(ref poll, ref now, after);
            return;
        }
        poll.GoesOn(now);
        poll.GoesOn(now += after);
        poll.Progressed();
        now++;
    }

    /// <summary>For how long it would look from <paramref name="now"/> on.</summary>
    private static long LongestLook(BusyPoll poll, long now)
    {
        long then = now;
        while (poll.GoesOn(then))
            then++;
        return then - now;
    }
}
