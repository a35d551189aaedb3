namespace InterGuest.Virtio.Devices;

/// <summary>What one end of a network link may send, and what the other must have accepted for it: from <see cref="FeatureTable.Net"/>.</summary>
public static class FeaturePairs
{
    // The MTU is a feature of both that needs itself; the others are about a frame on its way from one to the other.
    private static readonly FeatureRule[] Sending = [.. FeatureTable.Net.Rules.Where(r => r.Fit == FeatureFit.Needs && r.Counterpart != r.Mask)];

    /// <summary>The receive features that a driver's frames may need, by what it accepted for sending.</summary>
    public static ulong MayReceive(ulong senderFeatures)
    {
        ulong needed = 0;
        foreach (var rule in Sending)
            if ((senderFeatures & rule.Mask) != 0)
                needed |= rule.Counterpart;
        return needed;
    }
}
