using FsCheck;
using FsCheck.Fluent;
using InterGuest.Switch.Negotiation;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Negotiation;

/// <summary>
/// The rounds under random offers, refusals, orders of arrival, restarts, and peers that do not know the bit or another one
/// (docs/multi-round.md, "Why it ends").
/// </summary>
public class RoundsPropertyTests
{
    private static readonly FeatureTable Table = FeatureTable.Net;

    [Fact]
    public void RoundsEndInTheLargestSetsThatFit() => Check(Scenarios(fickle: false), scenario =>
    {
        var model = new RoundsModel(scenario);
        model.Play();
        model.RunToTheEnd();
        Assert.NotEqual(RoundsPhase.Negotiating, model.Phase);
        // Two drivers without rounds, one of them behind a front-end that has them: what it takes depends on who came first.
        if (!scenario.First.TakesRounds && !scenario.Second.TakesRounds && (scenario.First.FrontEndKnows || scenario.Second.FrontEndKnows))
            return;
        var expected = Largest(scenario);
        Assert.Equal(expected, (model.Accepted(0), model.Accepted(1)));
        Assert.Equal(Expected(scenario, expected), model.Phase);
    });

    [Fact]
    public void DriversThatRefuseAtRandomEndInSetsThatFitToo() => Check(Scenarios(fickle: true), scenario =>
    {
        var model = new RoundsModel(scenario);
        model.Play();
        model.RunToTheEnd();
        if (scenario.First.TakesRounds && scenario.Second.TakesRounds)
        {
            Assert.Equal(RoundsPhase.Agreed, model.Phase);
            Assert.True(Table.Fits(model.Accepted(0), model.Accepted(1)));
        }
        else
        {
            Assert.NotEqual(RoundsPhase.Negotiating, model.Phase);
        }
    });

    private static void Check(Gen<Scenario> scenarios, Action<Scenario> property) =>
        Prop.ForAll(scenarios.ToArbitrary(), property).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    /// <summary>What drivers that always take all they can end with.</summary>
    private static (ulong First, ulong Second) Largest(Scenario s)
    {
        ulong Can(Peer peer) => Table.Whole(peer.Everything & peer.Supported);
        return (s.First.TakesRounds, s.Second.TakesRounds) switch
        {
            (true, true) => Table.FitBoth(Can(s.First), Can(s.Second)),
            (true, false) => (Table.Whole(Table.Fit(s.First.Everything, Taken(s.Second)) & s.First.Supported), Taken(s.Second)),
            (false, true) => (Taken(s.First), Table.Whole(Table.Fit(s.Second.Everything, Taken(s.First)) & s.Second.Supported)),
            _ => (Taken(s.First), Taken(s.Second)),
        };

        // Who does not know the bit takes what it is offered first: all, or, if its front-end knows rounds, the least there is.
        ulong Taken(Peer peer) => Table.Whole((peer.FrontEndKnows ? RoundRules.Minimal(Table, peer.Everything) : peer.Everything) & peer.Supported);
    }

    private static RoundsPhase Expected(Scenario s, (ulong First, ulong Second) sets) =>
        !s.First.TakesRounds && !s.Second.TakesRounds ? RoundsPhase.None
        : Table.Fits(sets.First, sets.Second) ? RoundsPhase.Agreed
        : RoundsPhase.Translated;

    private static Gen<Scenario> Scenarios(bool fickle) =>
        from first in Peers()
        from second in Peers()
        from steps in Gen.ListOf(Steps())
        from refusals in Gen.ListOf(Sets(0, 1, 3))
        select new Scenario(first, second, [.. steps], fickle ? [.. refusals] : []);

    private static Gen<Peer> Peers() =>
        from everything in Sets(3, 8, 10)
        from supported in Sets(3, 8, 10)
        from frontEnd in Gen.Frequency((4, Gen.Constant(true)), (1, Gen.Constant(false)))
        from bit in Gen.Frequency((4, Gen.Constant(RoundsModel.Bit)), (1, Gen.Constant(0UL)), (1, Gen.Constant(1UL << 48)))
        select new Peer(Table.Whole(everything), supported, frontEnd, bit);

    private static Gen<Step> Steps() =>
        from end in Gen.Choose(0, 1)
        from action in Gen.Elements(Enum.GetValues<StepKind>())
        select new Step(end, action);

    /// <summary>Sets of features that have a rule, each with a chance in ten.</summary>
    private static Gen<ulong> Sets(params int[] chances) =>
        from chance in Gen.Elements(chances)
        from picks in Gen.ArrayOf(Gen.Choose(1, 10), Table.Rules.Count)
        select Table.Rules.Where((_, i) => picks[i] <= chance).Aggregate(0UL, (all, r) => all | r.Mask);
}
