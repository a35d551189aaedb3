using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Negotiation;

/// <summary>By what rules the two ends of a link negotiate (docs/multi-round.md).</summary>
/// <param name="Table">What fits what.</param>
/// <param name="Bit">VIRTIO_F_MULTI_ROUND as a mask.</param>
/// <param name="First">All that the first end could be offered, without the bit.</param>
/// <param name="Second">All that the second could be offered.</param>
public sealed record RoundRules(FeatureTable Table, ulong Bit, ulong First, ulong Second)
{
    /// <summary>No negotiation takes more rounds.</summary>
    public const int MaxRounds = 8;

    /// <summary>The features of a set that any two guests share: those that ask nothing of the other end.</summary>
    public static ulong Minimal(FeatureTable table, ulong everything) => everything & ~table.Paired;

    /// <summary>All that an end could be offered.</summary>
    public ulong Everything(int end) => end == 0 ? First : Second;

    /// <summary>What an end is offered first, with the bit.</summary>
    public ulong Probe(int end) => Minimal(Table, Everything(end)) | Bit;
}
