using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Negotiation;

/// <summary>What an end lost from one round to the next, and why, for a person.</summary>
public static class Losses
{
    /// <summary>What was taken away from both ends in a round.</summary>
    /// <param name="rules">As for <see cref="Rounds.Advance"/>.</param>
    /// <param name="rounds">The rounds.</param>
    /// <param name="index">Of the round in them.</param>
    /// <param name="names">The ports' names.</param>
    public static IEnumerable<string> In(RoundRules rules, Rounds rounds, int index, IReadOnlyList<string> names)
    {
        var round = rounds.History[index];
        var before = index > 0 ? rounds.History[index - 1] : null;
        for (int end = 0; end < 2; end++)
        {
            if (round.Offer(end) is not { } offer || (index == 0 && !round.IsFinal))
                continue;
            // The first round is the least there is on purpose; what is missing from others was lost.
            ulong had = before is { Number: > 1 } ? before.Offer(end) ?? 0 : rules.Everything(end);
            foreach (string why in Explain(rules.Table, had & ~offer & ~rules.Bit, offer, new Sides(round, before, end, names)))
                yield return why;
        }
    }

    private static IEnumerable<string> Explain(FeatureTable table, ulong lost, ulong offer, Sides sides)
    {
        foreach (var rule in table.Rules.Where(r => (lost & r.Mask) != 0))
            yield return $"{sides.Name}: {rule.Name}: " + (sides.Refused(rule.Mask) ? "it refused it"
                : (rule.Counterpart & ~sides.OtherHas) is not 0 and var missing && rule.Fit == FeatureFit.Needs
                    ? $"{sides.OtherName} is without {string.Join(", ", table.Names(missing))}"
                : rule.Requires != 0 && (offer & rule.Requires) == 0 ? $"it requires {string.Join(" or ", table.Names(rule.Requires))}"
                : "it is left out of the last round there can be");
    }

    private readonly record struct Sides(Round Round, Round? Before, int End, IReadOnlyList<string> Names)
    {
        public string Name => Names[End];

        public string OtherName => Names[1 - End];

        public ulong OtherHas => (Before?.Taken(1 - End) ?? ulong.MaxValue) & (Round.Offer(1 - End) ?? Round.Taken(1 - End) ?? ulong.MaxValue);

        public bool Refused(ulong feature) =>
            Before is { Number: > 1 } && ((Before.Offer(End) ?? 0) & ~(Before.Taken(End) ?? ulong.MaxValue) & feature) != 0;
    }
}
