namespace InterGuest.Virtio.VhostUser;

/// <summary>Whether a request was done; if not, why.</summary>
/// <param name="Fault">For programs.</param>
/// <param name="Refusal">For a person; null if it was done.</param>
public readonly record struct Verdict(MessageFault Fault, string? Refusal)
{
    /// <summary>It was done.</summary>
    public static Verdict Done => default;

    /// <summary>It was not done.</summary>
    public static Verdict Refused(MessageFault fault, string why) => new(fault, why);
}
