using System.Diagnostics;
using System.Globalization;
using InterGuest.Benchmarks.Micro;
using InterGuest.Switch.DataPath;
using InterGuest.Testing;

namespace InterGuest.Benchmarks;

/// <summary>How cost grows with links: of frames, of silence, and of waking.</summary>
internal static class ScaleBenchmark
{
    /// <summary>Frames of 64 bytes through one loop with ever more links, all of them busy; the rate of one link is 1.</summary>
    public static void Loop(TimeSpan window)
    {
        Console.WriteLine($"{"links in a loop",16}{"Mframes/s",12}{"of one",10}");
        double first = 0;
        for (int links = 1; links <= 64; links *= 2)
        {
            double rate = Rate(links, window);
            first = links == 1 ? rate : first;
            Console.WriteLine($"{links,16}{rate / 1e6,12:N2}{rate / first,10:N2}");
        }
    }

    /// <summary>Guests on all ports of a running switch: what silence costs it, and how soon a frame is through after it.</summary>
    /// <param name="switchPid">The switch.</param>
    /// <param name="sockets">Its ports' sockets, two of a link behind each other.</param>
    /// <param name="window">How long to listen to silence.</param>
    public static void Guests(int switchPid, string[] sockets, TimeSpan window)
    {
        long before = ResidentBytes(switchPid);
        List<TestGuest> guests = [.. sockets.Select(s => TestGuest.Run(s, new() { MemoryBytes = 1 << 20, QueueSize = 256, ReceiveBuffers = 16 }))];
        Latency(guests[0], guests[1], 200); // its code is compiled
        Console.WriteLine(Invariant($"guests: {guests.Count}, running; {(ResidentBytes(switchPid) - before) / 1024.0 / guests.Count:N0} KiB more of the switch for each"));
        var cpu = CpuTime(switchPid);
        Thread.Sleep(window);
        Console.WriteLine(Invariant($"silence: {100 * (CpuTime(switchPid) - cpu) / window:N2} % of a CPU"));
        double[] waking = [.. Enumerable.Range(0, 1000).Select(_ => Waking(guests[0], guests[1])).Order()];
        Console.WriteLine(Invariant($"a frame after silence: {waking[500]:N1} us from the kick until the receiver can see it (median; 90 %: {waking[900]:N1})"));
        double[] asleep = [.. Enumerable.Range(0, 200).Select(_ => { Thread.Sleep(5); return Latency(guests[0], guests[1], 1); }).Order()];
        double[] awake = [.. Enumerable.Range(0, 50).Select(_ => Latency(guests[0], guests[1], 100)).Order()];
        Console.WriteLine(Invariant($"a frame from guest to guest: {asleep[100]:N0} us after silence (median; the receiver sleeps, too), {awake[25]:N1} us in a row"));
        guests.ForEach(g => g.Dispose());
    }

    private static double Rate(int links, TimeSpan window)
    {
        FlatGuest[] senders = [.. Enumerable.Range(0, links).Select(_ => new FlatGuest(76, receives: false))];
        FlatGuest[] receivers = [.. Enumerable.Range(0, links).Select(_ => new FlatGuest(76, receives: true))];
        var counters = new TrafficCounters();
        NetJoin[] joins = [.. senders.Zip(receivers, (s, r) => new NetJoin(s.End, r.End, TimeSpan.FromSeconds(60), counters))];
        using var loop = new EventLoop(0, TimeSpan.FromSeconds(1));
        using var stop = new CancellationTokenSource();
        var feeder = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
                for (int i = 0; i < links; i++)
                {
                    receivers[i].Feed();
                    senders[i].Feed();
                }
        });
        loop.Start();
        loop.Invoke(() => Array.ForEach(joins, loop.Add));
        feeder.Start();
        Thread.Sleep(window); // warm
        long before = counters.Frames, started = Stopwatch.GetTimestamp();
        Thread.Sleep(window);
        double rate = (counters.Frames - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
        stop.Cancel();
        feeder.Join();
        loop.Invoke(() => Array.ForEach(joins, loop.Remove));
        foreach (var guest in senders.Concat(receivers))
            guest.Dispose();
        return rate;
    }

    /// <summary>From before the kick, after silence, until a receiver that looks all the time sees the frame, in microseconds.</summary>
    private static double Waking(TestGuest from, TestGuest to)
    {
        Thread.Sleep(2); // the switch looked for less, and sleeps
        long started = Stopwatch.GetTimestamp();
        from.Send(new byte[60]);
        while (!to.Receive().HasUsed)
            ;
        double waking = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        to.ReceiveFrame();
        from.Transmit().NextUsed();
        return waking;
    }

    /// <summary>From before the kick to after the call, in microseconds.</summary>
    private static double Latency(TestGuest from, TestGuest to, int frames)
    {
        byte[] frame = new byte[60];
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < frames; i++)
        {
            from.Send(frame);
            to.ReceiveFrame();
            from.Transmit().NextUsed();
        }
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds / frames;
    }

    private static TimeSpan CpuTime(int pid)
    {
        using var process = Process.GetProcessById(pid);
        return process.TotalProcessorTime;
    }

    private static long ResidentBytes(int pid)
    {
        using var process = Process.GetProcessById(pid);
        return process.WorkingSet64;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
