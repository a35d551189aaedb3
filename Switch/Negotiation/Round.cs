namespace InterGuest.Switch.Negotiation;

/// <summary>One round: what each end was offered, and what it took.</summary>
/// <param name="Number">From 1.</param>
/// <param name="IsFinal">The offers lack the bit.</param>
/// <param name="FirstOffer">To the first end; null: it is outside the rounds.</param>
/// <param name="SecondOffer">To the second.</param>
/// <param name="FirstTaken">By the first end; null: it has not answered.</param>
/// <param name="SecondTaken">By the second.</param>
public sealed record Round(int Number, bool IsFinal, ulong? FirstOffer, ulong? SecondOffer, ulong? FirstTaken = null, ulong? SecondTaken = null)
{
    /// <summary>The offer to an end.</summary>
    public ulong? Offer(int end) => end == 0 ? FirstOffer : SecondOffer;

    /// <summary>What an end took.</summary>
    public ulong? Taken(int end) => end == 0 ? FirstTaken : SecondTaken;
}
