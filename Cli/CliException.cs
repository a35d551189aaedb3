namespace InterGuest.Cli;

/// <summary>An error that a person can act on. The only exception that commands throw on purpose.</summary>
internal sealed class CliException(
    int exitCode, string code, string message, string? remedy = null, Exception? cause = null)
    : Exception(message, cause)
{
    /// <summary>The code of a usage error in JSON; all others are gRPC's.</summary>
    public const string UsageCode = "USAGE";

    public int ExitCode { get; } = exitCode;

    /// <summary>For machines: a gRPC status code as its specification writes it, or <see cref="UsageCode"/>.</summary>
    public string Code { get; } = code;

    /// <summary>What to do about it; null when the message says so itself.</summary>
    public string? Remedy { get; } = remedy;

    public static CliException Usage(string message, string? remedy = null) =>
        new(ExitCodes.Usage, UsageCode, message, remedy);

    public static CliException Refused(string code, string message, string? remedy = null, Exception? cause = null) =>
        new(ExitCodes.Refused, code, message, remedy, cause);
}
