using System.Diagnostics;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.Tests.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;

namespace InterGuest.Benchmarks;

/// <summary>The rate of one link with and without a guest that floods the same loop; both in one run, as a ratio.</summary>
internal static class FairnessBenchmark
{
    private const int Size = 256, Rounds = 5;
    private const ulong Indirect = TestGuest.PlainFeatures | Features.RingIndirectDescriptors;

    public static void Run(TimeSpan window)
    {
        Console.WriteLine($"frames of 116 bytes, median of {Rounds} windows of {window.TotalSeconds} s each");
        Console.WriteLine($"{"flood",-52}{"alone, 1/s",12}{"beside it",12}{"ratio",8}");
        Measure("none", window, _ => { }, feed: false, kick: false);
        Measure("kicks for an empty ring", window, _ => { }, feed: false, kick: true);
        Measure("a ring that is always full", window, _ => { }, feed: true, kick: false);
        // A chain is no longer than its ring.
        Measure("chains of 32768 descriptors", window, g => g.SendInTables(32768, bad: false), feed: true, kick: false, size: 32768);
        Measure("chains of 32768 descriptors, the last of them bad", window, g => g.SendInTables(32768, bad: true), feed: true, kick: false, size: 32768);
    }

    private static void Measure(string flood, TimeSpan window, Action<FlipGuest> prepare, bool feed, bool kick, int size = Size)
    {
        using FlipGuest sender = new(Size, 0), receiver = new(Size, 0), flooder = new(size, 0, Indirect);
        prepare(flooder);
        using var bell = EventFd.Create();
        using var source = sender.End(sender.Send, sender.SendCounters);
        using var target = receiver.End(receiver.Receive, receiver.ReceiveCounters);
        using var flooding = flooder.End(flooder.Send, flooder.SendCounters, bell);
        using var loop = new EventLoop(0);
        loop.Start();
        var link = new TrafficCounters();
        var victim = new NetJoin(source, target, TimeSpan.FromSeconds(60), link);
        // The loop never sleeps, so that the two windows differ by the flood alone.
        loop.Invoke(() => loop.Add(new Spinner()));
        loop.Invoke(() => loop.Add(victim));
        using var stop = new CancellationTokenSource();
        var feeder = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                FlipGuest.Feed(sender.Send);
                FlipGuest.Feed(receiver.Receive);
                if (feed)
                    FlipGuest.Feed(flooder.Send);
                if (kick)
                    bell.Signal();
            }
        });
        feeder.Start();
        Rate(link, window); // warm
        var (alone, beside) = (new double[Rounds], new double[Rounds]);
        for (int i = 0; i < Rounds; i++)
        {
            alone[i] = Rate(link, window);
            var join = new NetJoin(flooding, DropReason.NoLink, null);
            loop.Invoke(() => loop.Add(join));
            beside[i] = Rate(link, window);
            loop.Invoke(() => loop.Remove(join));
        }
        stop.Cancel();
        feeder.Join();
        loop.Invoke(() => loop.Remove(victim));
        Console.WriteLine($"{flood,-52}{Median(alone),12:N0}{Median(beside),12:N0}{Median(beside) / Median(alone),8:N2}");
    }

    private static double Rate(TrafficCounters link, TimeSpan window)
    {
        long before = link.Frames, started = Stopwatch.GetTimestamp();
        Thread.Sleep(window);
        return (link.Frames - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>A join that always says it has more to do.</summary>
    private sealed class Spinner : Join
    {
        public override IReadOnlyList<QueueEnd> Ends => [];

        public override TurnResult Turn(int budget, out int spent)
        {
            spent = 0;
            return TurnResult.More;
        }

        public override void Wake()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);
}
