namespace InterGuest.Switch.Control;

/// <summary>How a link makes features fit that its two guests do not share.</summary>
public enum LinkPolicy
{
    /// <summary>Rounds with those who know them; what does not fit otherwise is translated.</summary>
    Auto,

    /// <summary>Every guest is offered everything at once; what does not fit is translated.</summary>
    Translate,

    /// <summary>As <see cref="Auto"/>, and a device with features that do not fit is plugged out and in again without them.</summary>
    Replug,

    /// <summary>Only what any two guests share is offered.</summary>
    Minimal,

    /// <summary>Rounds, and to those who do not know them only what any two guests share. Nothing is translated.</summary>
    MultiRound,
}
