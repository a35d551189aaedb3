namespace InterGuest.Virtio.Devices;

/// <summary>What a feature of a driver asks of the driver at the other end of a link.</summary>
public enum FeatureFit
{
    /// <summary>Nothing: it is between the driver and the switch.</summary>
    Alone,

    /// <summary>The driver may use it only if the other end accepted its counterpart.</summary>
    Needs,

    /// <summary>It lets the other end use its counterpart; without that it does nothing.</summary>
    Serves,

    /// <summary>A limit of the other end: where that has the counterpart, the driver should accept it, and is held to it anyway.</summary>
    Binds,
}

/// <summary>A row of a <see cref="FeatureTable"/>.</summary>
/// <param name="Bit">The feature's number.</param>
/// <param name="Name">As the specification writes it.</param>
/// <param name="Fit">What it asks of the other end.</param>
/// <param name="Counterpart">Masks of the other end's features that it is about; all of them are meant.</param>
/// <param name="Requires">Features of the same driver, one of which it requires (VIRTIO 1.2, 5.1.3.1); 0: none.</param>
/// <param name="Meaning">What the two ends agree on by it, for a person.</param>
public sealed record FeatureRule(int Bit, string Name, FeatureFit Fit, ulong Counterpart, ulong Requires, string Meaning)
{
    /// <summary>The feature as a mask.</summary>
    public ulong Mask => 1UL << Bit;
}
