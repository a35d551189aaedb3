namespace InterGuest.Switch.Negotiation;

/// <summary>How one end of a link takes part in the rounds.</summary>
public enum RoundKind
{
    /// <summary>It is not there, or has not said what it accepts.</summary>
    Absent,

    /// <summary>It accepted features once, as any guest does.</summary>
    Plain,

    /// <summary>Its front-end reads offers again when asked, and its driver has not shown that it does not know the bit.</summary>
    Rounds,
}

/// <summary>One end of a link as the rounds see it: what it read last, and what it said to that.</summary>
/// <param name="Kind">How it takes part.</param>
/// <param name="Arrival">Counts connections: another number is another front-end, of which nothing is known.</param>
/// <param name="Read">The offer it read last; null: none.</param>
/// <param name="Taken">What it accepted of it; null: it has not answered.</param>
public sealed record RoundEnd(RoundKind Kind, long Arrival, ulong? Read, ulong? Taken)
{
    /// <summary>Nobody has been there yet.</summary>
    public static RoundEnd Nobody { get; } = new(RoundKind.Absent, 0, null, null);

    /// <summary>A front-end that knows rounds has come.</summary>
    public RoundEnd Arrive(long arrival) => new(RoundKind.Rounds, arrival, null, null);

    /// <summary>It is gone.</summary>
    public RoundEnd Leave() => new(RoundKind.Absent, Arrival, null, null);

    /// <summary>It read an offer, which begins the driver's answer anew.</summary>
    public RoundEnd Reads(ulong offer) => this with { Read = offer, Taken = null };

    /// <summary>It accepted features of the offer that it read last. One that had the bit and whose taker leaves it has found a driver without rounds.</summary>
    public RoundEnd Takes(ulong features, ulong bit) =>
        this with { Taken = features, Kind = (Read & ~features & bit) == bit ? RoundKind.Plain : Kind };

    /// <summary>A guest outside the rounds accepted features.</summary>
    public RoundEnd Accepts(long arrival, ulong offer, ulong features) => new(RoundKind.Plain, arrival, offer, features);

    /// <summary>What it answered to an offer; null: it has not read that one, or not answered.</summary>
    public ulong? AnswerTo(ulong offer) => Read == offer ? Taken : null;
}
