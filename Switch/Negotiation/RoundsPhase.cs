namespace InterGuest.Switch.Negotiation;

/// <summary>Where a link's negotiation is.</summary>
public enum RoundsPhase
{
    /// <summary>Neither end takes part in rounds.</summary>
    None,

    /// <summary>One end takes part, the other is not there or has not said what it accepts.</summary>
    Waiting,

    /// <summary>An end has an offer to read or to answer.</summary>
    Negotiating,

    /// <summary>Both accepted the final offer, and what they accepted fits.</summary>
    Agreed,

    /// <summary>An end does not know rounds, and uses what the other refused: the switch translates.</summary>
    Translated,

    /// <summary>What they accepted does not fit, and the link's policy wants no translation.</summary>
    Failed,
}
