using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Control;

/// <summary>What happened to a port or link.</summary>
public enum EventKind
{
    /// <summary>Nothing: it is told as it is.</summary>
    Current,

    /// <summary>It was made.</summary>
    Created,

    /// <summary>It is not as it was.</summary>
    Changed,

    /// <summary>It is gone.</summary>
    Deleted,
}

/// <summary>Something happened, told on the control thread: what it is about must be looked at there.</summary>
/// <param name="Time">When.</param>
/// <param name="Kind">What.</param>
/// <param name="Text">For a person, one line.</param>
/// <param name="Port">The port it is about; or</param>
/// <param name="Link">the link.</param>
public sealed record SwitchEvent(DateTimeOffset Time, EventKind Kind, string Text, Port? Port, Link? Link);
