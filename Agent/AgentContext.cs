namespace InterGuest.Agent;

/// <summary>All that a command takes from its process, so that tests can give something else.</summary>
internal sealed record AgentContext
{
    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public AgentLog Log => new(Error);

    public static AgentContext OfProcess() => new() { Out = Console.Out, Error = Console.Error };
}
