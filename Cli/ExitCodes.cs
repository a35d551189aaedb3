namespace InterGuest.Cli;

/// <summary>What the process answers; names of a contract that scripts rely on.</summary>
internal static class ExitCodes
{
    public const int Success = 0;

    /// <summary>The switch refused, or could not be reached.</summary>
    public const int Refused = 1;

    /// <summary>The command line (or the environment it is run in) makes no sense.</summary>
    public const int Usage = 2;

    /// <summary>`doctor` found something that does not work.</summary>
    public const int Unwell = 3;
}
