using System.Collections.Immutable;

namespace InterGuest.Switch.Negotiation;

/// <summary>
/// The rounds of a link so far, and, from them and from what the ends said, the next: pure functions. docs/multi-round.md is
/// the specification.
/// </summary>
/// <param name="Attempt">The arrivals of the two ends that these rounds are for.</param>
/// <param name="History">The rounds, the last one going on or settled.</param>
public sealed record Rounds((long First, long Second) Attempt, ImmutableArray<Round> History)
{
    /// <summary>No round yet.</summary>
    public static Rounds None { get; } = new((0, 0), []);

    /// <summary>What an end is offered now; null: it is outside the rounds.</summary>
    public ulong? OfferTo(int end) => History.IsEmpty ? null : History[^1].Offer(end);

    /// <summary>Goes as far as what the ends said allows.</summary>
    public Rounds Advance(RoundRules rules, RoundEnd first, RoundEnd second)
    {
        if (first.Kind != RoundKind.Rounds && second.Kind != RoundKind.Rounds)
            return this with { History = [] };
        var now = Attempt == (first.Arrival, second.Arrival) ? this : new Rounds((first.Arrival, second.Arrival), []);
        if (first.Kind == RoundKind.Plain)
            return now.WithPlain(rules, 0, first.Taken!.Value, second);
        if (second.Kind == RoundKind.Plain)
            return now.WithPlain(rules, 1, second.Taken!.Value, first);
        return now.WithBoth(rules, first, second);
    }

    /// <summary>The outcome as it stands.</summary>
    /// <param name="rules">As for <see cref="Advance"/>.</param>
    /// <param name="first">One end.</param>
    /// <param name="second">The other.</param>
    /// <param name="translate">Whether what does not fit is translated, if an end is outside the rounds.</param>
    public RoundsPhase Phase(RoundRules rules, RoundEnd first, RoundEnd second, bool translate)
    {
        if (first.Kind == RoundKind.Absent || second.Kind == RoundKind.Absent)
            return first.Kind == RoundKind.Rounds || second.Kind == RoundKind.Rounds ? RoundsPhase.Waiting : RoundsPhase.None;
        bool settled = Settled(first, 0) && Settled(second, 1);
        if (!settled)
            return RoundsPhase.Negotiating;
        return rules.Table.Fits(first.Taken!.Value, second.Taken!.Value) ? (History.IsEmpty ? RoundsPhase.None : RoundsPhase.Agreed)
            : first.Kind == RoundKind.Rounds && second.Kind == RoundKind.Rounds ? RoundsPhase.Negotiating
            : !translate ? RoundsPhase.Failed
            : History.IsEmpty ? RoundsPhase.None
            : RoundsPhase.Translated;
    }

    /// <summary>Whether an end has said its last word for now.</summary>
    private bool Settled(RoundEnd end, int index) =>
        end.Kind == RoundKind.Plain || (History is [.., { IsFinal: true } last] && last.Offer(index) is { } offer && end.AnswerTo(offer) != null);

    // One end took what it took and will not be asked again: the other is told at once what is left.
    private Rounds WithPlain(RoundRules rules, int plain, ulong accepted, RoundEnd other)
    {
        int asked = 1 - plain;
        var before = History.Where(r => !r.IsFinal).Take(1).ToImmutableArray();
        ulong offer = rules.Table.Fit(rules.Everything(asked), accepted);
        ulong? answer = other.AnswerTo(offer);
        int number = before.Length + 1;
        return this with
        {
            History = before.Add(plain == 0
                ? new Round(number, true, null, offer, accepted, answer)
                : new Round(number, true, offer, null, answer, accepted)),
        };
    }

    private Rounds WithBoth(RoundRules rules, RoundEnd first, RoundEnd second)
    {
        // Rounds with an end that was outside of them say nothing of this one.
        var history = History.Any(r => r.FirstOffer == null || r.SecondOffer == null) ? [] : History;
        if (history.IsEmpty)
            history = [new Round(1, false, rules.Probe(0), rules.Probe(1))];
        while (true)
        {
            var round = history[^1];
            round = round with { FirstTaken = first.AnswerTo(round.FirstOffer!.Value), SecondTaken = second.AnswerTo(round.SecondOffer!.Value) };
            history = history.SetItem(history.Length - 1, round);
            if (Next(rules, history) is not { } next)
                return this with { History = history };
            history = history.Add(next);
        }
    }

    /// <summary>The round that follows; null: this one goes on, or was the last.</summary>
    private static Round? Next(RoundRules rules, ImmutableArray<Round> history)
    {
        var round = history[^1];
        if (round is not { FirstTaken: { } first, SecondTaken: { } second })
            return null;
        int number = round.Number + 1;
        if (round.IsFinal && rules.Table.Fits(first, second))
            return null;
        // The last round there can be has nothing in it that asks anything of the other end: it fits, whatever they take.
        if (number >= RoundRules.MaxRounds)
            return round.Number >= RoundRules.MaxRounds ? null
                : new Round(number, true, rules.Probe(0) & ~rules.Bit, rules.Probe(1) & ~rules.Bit);
        if (number == 2)
            return Offers(number, rules.Table.FitBoth(rules.First, rules.Second), rules.Bit);
        var taken = (First: first & ~rules.Bit, Second: second & ~rules.Bit);
        var fits = rules.Table.FitBoth(taken.First, taken.Second);
        bool content = !round.IsFinal && fits == taken;
        return Offers(number, fits, content ? 0 : rules.Bit);
    }

    private static Round Offers(int number, (ulong First, ulong Second) offers, ulong bit) =>
        new(number, bit == 0, offers.First | bit, offers.Second | bit);
}
