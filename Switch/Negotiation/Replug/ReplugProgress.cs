namespace InterGuest.Switch.Negotiation.Replug;

/// <summary>Where a re-plug is.</summary>
public enum ReplugState
{
    /// <summary>It goes on.</summary>
    Running,

    /// <summary>The guest has the device again, without the features.</summary>
    Done,

    /// <summary>It was given up.</summary>
    Failed,
}

/// <summary>The last re-plug of a port's device.</summary>
/// <param name="Without">Features that the guest is not to have any more.</param>
/// <param name="Connection">The front-end's connection that it is about: a port's policy tries each once.</param>
/// <param name="State">Where it is.</param>
/// <param name="Text">The last thing that happened.</param>
/// <param name="Since">When.</param>
public sealed record ReplugProgress(ulong Without, long Connection, ReplugState State, string Text, DateTimeOffset Since);
