namespace InterGuest.Virtio.Devices;

/// <summary>
/// What fits what: for each feature that one end of a link accepted, what the other must have accepted. The one place that
/// says so; docs/features.md shows it.
/// </summary>
public sealed partial class FeatureTable
{
    private readonly FeatureNames _names;

    private FeatureTable(string device, FeatureNames names, params FeatureRule[] rules)
    {
        (Device, _names, Rules) = (device, names, rules);
        Paired = Where(FeatureFit.Needs) | Where(FeatureFit.Serves);
    }

    /// <summary>The type of device, as owners name it.</summary>
    public string Device { get; }

    /// <summary>The rules, by bit.</summary>
    public IReadOnlyList<FeatureRule> Rules { get; }

    /// <summary>The features that both ends have to do with. All others are between one driver and the switch.</summary>
    public ulong Paired { get; }

    /// <summary>The table of a type of device.</summary>
    /// <returns>Null if there is none.</returns>
    public static FeatureTable? For(string device) => device == Net.Device ? Net : device == Block.Device ? Block : null;

    /// <summary>The largest part of a set that may be used with what the other end accepted, and that is whole in itself.</summary>
    /// <param name="features">Of one end.</param>
    /// <param name="other">Of the other.</param>
    public ulong Fit(ulong features, ulong other)
    {
        foreach (var rule in Rules)
            if (rule.Fit == FeatureFit.Needs && (other & rule.Counterpart) != rule.Counterpart)
                features &= ~rule.Mask;
        return Whole(features);
    }

    /// <summary>
    /// The largest parts of two sets that fit each other. There is one such pair that contains all others: what does not fit
    /// a set does not fit a part of it either, so what is taken away had to be.
    /// </summary>
    public (ulong First, ulong Second) FitBoth(ulong first, ulong second)
    {
        while (true)
        {
            ulong firstFits = Fit(first, second), secondFits = Fit(second, firstFits);
            if ((firstFits, secondFits) == (first, second))
                return (first, second);
            (first, second) = (firstFits, secondFits);
        }
    }

    /// <summary>Whether two sets fit as they are: nothing that either may use was refused by the other.</summary>
    public bool Fits(ulong first, ulong second) => Unfit(first, second) == 0 && Unfit(second, first) == 0;

    /// <summary>The features of a driver that need what the other end refused.</summary>
    public ulong Unfit(ulong features, ulong other) => features & Rules
        .Where(r => r.Fit == FeatureFit.Needs && (other & r.Counterpart) != r.Counterpart)
        .Aggregate(0UL, (all, r) => all | r.Mask);

    /// <summary>The part of a set whose features have what they require in it (VIRTIO 1.2, 2.2.2: only such a set may be offered).</summary>
    public ulong Whole(ulong features)
    {
        ulong before;
        do
        {
            before = features;
            foreach (var rule in Rules)
                if (rule.Requires != 0 && (features & rule.Requires) == 0)
                    features &= ~rule.Mask;
        }
        while (features != before);
        return features;
    }

    /// <summary>The rule of a feature; null if it has none.</summary>
    public FeatureRule? Rule(int bit) => Rules.FirstOrDefault(r => r.Bit == bit);

    /// <summary>The names of features, lowest bit first.</summary>
    public IEnumerable<string> Names(ulong features) => _names.Of(features);

    private ulong Where(FeatureFit fit) => Rules.Where(r => r.Fit == fit).Aggregate(0UL, (all, r) => all | r.Mask);
}
