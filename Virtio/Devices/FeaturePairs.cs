namespace InterGuest.Virtio.Devices;

/// <summary>
/// What one end of a network link may send, and what the other must have accepted for it (VIRTIO 1.2, 5.1.3.1): one table.
/// </summary>
public static class FeaturePairs
{
    /// <summary>A driver that accepted <c>Sender</c> may send frames that need <c>Receiver</c>.</summary>
    public static readonly IReadOnlyList<(ulong Sender, ulong Receiver)> Net =
    [
        (Features.NetChecksum, Features.NetGuestChecksum),
        (Features.NetHostTso4, Features.NetGuestTso4),
        (Features.NetHostTso6, Features.NetGuestTso6),
        (Features.NetHostEcn, Features.NetGuestEcn),
        (Features.NetHostUfo, Features.NetGuestUfo),
    ];

    /// <summary>The receive features that a driver's frames may need, by what it accepted for sending.</summary>
    public static ulong MayReceive(ulong senderFeatures)
    {
        ulong needed = 0;
        foreach (var (sender, receiver) in Net)
            if ((senderFeatures & sender) != 0)
                needed |= receiver;
        return needed;
    }

    /// <summary>The send features that frames for a driver may use, by what it accepted for receiving.</summary>
    public static ulong MaySend(ulong receiverFeatures)
    {
        ulong allowed = 0;
        foreach (var (sender, receiver) in Net)
            if ((receiverFeatures & receiver) != 0)
                allowed |= sender;
        return allowed;
    }

    /// <summary>All features for sending that have a counterpart.</summary>
    public static ulong AllSend { get; } = Net.Aggregate(0UL, (all, pair) => all | pair.Sender);
}
