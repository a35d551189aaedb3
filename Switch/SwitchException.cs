namespace InterGuest.Switch;

/// <summary>The kinds of "no" that the control plane says.</summary>
public enum SwitchError
{
    /// <summary>A value that can never be right.</summary>
    Invalid,

    /// <summary>The name is taken.</summary>
    AlreadyExists,

    /// <summary>There is nothing of that name.</summary>
    NotFound,

    /// <summary>Right in itself, but not now.</summary>
    Precondition,
}

/// <summary>What was asked cannot be done. The message is for a person: it names the thing and the remedy.</summary>
public sealed class SwitchException(SwitchError kind, string message, string subject = "") : Exception(message)
{
    /// <summary>What part of a declared topology it is about: ports/NAME/FIELD; empty if of none.</summary>
    public string Subject { get; } = subject;

    /// <summary>Why not.</summary>
    public SwitchError Kind { get; } = kind;
}
