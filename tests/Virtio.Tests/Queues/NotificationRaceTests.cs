using System.Diagnostics;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>
/// The one moment that decides: one side publishes while the other says that it will sleep. Either the publisher sees the wish, or the
/// sleeper sees the index; that both see neither is what the full fences are for. The two meet at that moment again and again.
/// </summary>
public class NotificationRaceTests
{
    private const int Rounds = 200_000;

    [Theory]
    [InlineData(0UL)]
    [InlineData(Features.RingEventIndex)]
    [InlineData(Features.RingPacked)]
    [InlineData(Features.RingPacked | Features.RingEventIndex)]
    public async Task Spec_2_7_10_KickOrSecondLookButNeverNeither(ulong features)
    {
        using var queue = new TwoSidedQueue(4, features);
        var buffer = queue.Room(1);
        int neither = await Race(
            prepareSleeper: queue.Device.DisableKicks,
            sleeper: queue.Device.EnableKicks,
            preparePublisher: () => Assert.True(queue.Driver.TryAdd([buffer], [], 0)),
            publisher: queue.Driver.Publish,
            after: () =>
            {
                Assert.Equal(PopResult.Chain, queue.Pop());
                queue.Device.AddUsed(queue.Chain.Ticket, 0);
                queue.Device.PublishUsed();
                Assert.True(queue.Driver.TryGetUsed(out _, out _));
            });
        Assert.Equal(0, neither);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(Features.RingEventIndex)]
    [InlineData(Features.RingPacked)]
    [InlineData(Features.RingPacked | Features.RingEventIndex)]
    public async Task Spec_2_7_7_CallOrSecondLookButNeverNeither(ulong features)
    {
        using var queue = new TwoSidedQueue(4, features);
        var buffer = queue.Room(1);
        int neither = await Race(
            prepareSleeper: () =>
            {
                queue.Driver.DisableCalls();
                Assert.True(queue.Driver.TryAdd([buffer], [], 0));
                queue.Driver.Publish();
            },
            sleeper: queue.Driver.EnableCalls,
            preparePublisher: () =>
            {
                Assert.Equal(PopResult.Chain, queue.Pop());
                queue.Device.AddUsed(queue.Chain.Ticket, 0);
            },
            publisher: queue.Device.PublishUsed,
            after: () => Assert.True(queue.Driver.TryGetUsed(out _, out _)),
            // It has the driver's ring at hand and ours not: so it reads long before it is seen to have written.
            warmPublisher: () => Assert.Equal(PopResult.Empty, queue.Pop()));
        Assert.Equal(0, neither);
    }

    /// <summary>How many times both were told nothing. What is not the race itself is done by one thread alone.</summary>
    private static async Task<int> Race(
        Action prepareSleeper, Func<bool> sleeper, Action preparePublisher, Func<bool> publisher, Action after, Action? warmPublisher = null)
    {
        var meeting = new Meeting();
        bool[] published = new bool[Rounds];
        var other = Task.Factory.StartNew(
            () =>
            {
                for (int i = 0; i < Rounds; i++)
                {
                    meeting.Arrive(1);
                    warmPublisher?.Invoke();
                    meeting.Arrive(1);
                    Thread.SpinWait(i * 7 % 11);
                    published[i] = publisher();
                    meeting.Arrive(1);
                }
            },
            TaskCreationOptions.LongRunning);
        int neither = 0;
        for (int i = 0; i < Rounds; i++)
        {
            prepareSleeper();
            preparePublisher();
            meeting.Arrive(0);
            meeting.Arrive(0);
            Thread.SpinWait(i * 5 % 11);
            bool look = sleeper();
            meeting.Arrive(0);
            if (!look && !published[i])
                neither++;
            after();
        }
        await other;
        return neither;
    }

    /// <summary>Two threads leave together.</summary>
    private sealed class Meeting
    {
        private readonly int[] _arrived = new int[64];

        internal void Arrive(int who)
        {
            ref int mine = ref _arrived[who * 32], other = ref _arrived[(1 - who) * 32];
            int round = mine + 1;
            Volatile.Write(ref mine, round);
            long began = Stopwatch.GetTimestamp();
            for (var spin = new SpinWait(); Volatile.Read(ref other) < round; spin.SpinOnce(sleep1Threshold: -1))
                if (Stopwatch.GetElapsedTime(began) > Waiting.Patience)
                    throw new TimeoutException("the other thread is gone");
        }
    }
}
