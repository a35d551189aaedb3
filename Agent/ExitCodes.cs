namespace InterGuest.Agent;

/// <summary>What the process answers; names of a contract that scripts rely on.</summary>
internal static class ExitCodes
{
    public const int Success = 0;

    /// <summary>It could not be done, or what was measured was not as it should be.</summary>
    public const int Failed = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Usage = 2;
}
