namespace InterGuest.Agent;

/// <summary>All that a command takes from its process, so that tests can give something else.</summary>
internal sealed record AgentContext
{
    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Opens the input of bytes.</summary>
    public Func<Stream> Input { get; init; } = Console.OpenStandardInput;

    /// <summary>Opens the output of bytes.</summary>
    public Func<Stream> Output { get; init; } = Console.OpenStandardOutput;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public AgentLog Log => new(Error);

    public static AgentContext OfProcess() => new() { Out = Console.Out, Error = Console.Error };
}
