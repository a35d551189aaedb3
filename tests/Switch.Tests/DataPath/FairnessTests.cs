using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>
/// However a guest floods its loop, it has one share of it: counted in work, against the turns that another join on the same
/// loop gets. Time plays no part. tests/Benchmarks shows the rates.
/// </summary>
public class FairnessTests
{
    private const int Size = 256, Turns = 3000;

    [Theory]
    [InlineData("a ring that is always full", 1, false)]
    [InlineData("chains of 100 descriptors", 100, false)]
    [InlineData("chains of 32768 descriptors", 32768, false)]
    [InlineData("chains of 32768 descriptors, the last of them bad", 32768, true)]
    public void AFloodHasOneShare(string flood, int descriptors, bool bad)
    {
        // A chain is no longer than its ring.
        using var guest = new FlipGuest(Math.Max(Size, descriptors), 0, TestGuest.PlainFeatures | Features.RingIndirectDescriptors);
        if (descriptors > 1)
            guest.SendInTables(descriptors, bad);
        using var source = guest.End(guest.Send, guest.SendCounters);
        using var fixture = new LoopFixture();
        var meter = new Meter();
        fixture.Add(new NetJoin(source, DropReason.NoLink, null), meter);
        using var stop = new CancellationTokenSource();
        var feeder = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
                FlipGuest.Feed(guest.Send);
        });
        feeder.Start();
        try
        {
            Wait.Until(() => Chains(guest) > 0, $"the flood begins: {flood}");
            var (turns, chains) = Look(fixture, meter, guest);
            Wait.Until(() => meter.Turns > turns + Turns && Chains(guest) > chains, "the meter and the flood have their turns");
            var (turnsAfter, chainsAfter) = Look(fixture, meter, guest);
            // A share each turn, and the last step of one may go beyond it.
            long work = (chainsAfter - chains) * descriptors, share = (turnsAfter - turns + 1) * WorkCost.Turn + descriptors;
            Assert.InRange(work, 1, share);
        }
        finally
        {
            stop.Cancel();
            feeder.Join();
        }
        Assert.Empty(fixture.Faults);
    }

    /// <summary>Kicks for nothing cost their own ring's turns, and no other's.</summary>
    [Fact]
    public void KicksWithoutWorkAreOneTurnEach()
    {
        using var guest = new FlipGuest(Size, 0);
        using var kick = EventFd.Create();
        using var source = guest.End(guest.Send, guest.SendCounters, kick);
        using var fixture = new LoopFixture();
        var meter = new Meter();
        fixture.Add(new NetJoin(source, DropReason.NoLink, null), meter);
        for (int kicks = 0; kicks < 2000 || meter.Turns < Turns; kicks++)
            kick.Signal();
        // Edges that come together are one: never more events than looks for them, and the meter had turns between those.
        var (turns, kicked) = (0L, 0L);
        fixture.Loop.Invoke(() => (turns, kicked) = (meter.Turns, guest.SendCounters.Kicks));
        Assert.InRange(kicked, 1, turns + 1);
    }

    private static (long Turns, long Chains) Look(LoopFixture fixture, Meter meter, FlipGuest guest)
    {
        (long, long) seen = default;
        fixture.Loop.Invoke(() => seen = (meter.Turns, Chains(guest)));
        return seen;
    }

    private static long Chains(FlipGuest guest) => guest.SendCounters.Traffic.Drops.Sum(d => d.Count);

    /// <summary>A join that always has work, of one unit, and counts its turns.</summary>
    private sealed class Meter : Join
    {
        private long _turns;

        public override IReadOnlyList<QueueEnd> Ends => [];

        public long Turns => Volatile.Read(ref _turns);

        public override TurnResult Turn(int budget, out int spent)
        {
            Volatile.Write(ref _turns, _turns + 1);
            spent = 1;
            return TurnResult.More;
        }

        public override void Wake()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
