namespace InterGuest.Cli.Tests.Fakes;

/// <summary>
/// Tests that start programs run one after another: a script that another test's fork still holds open for writing
/// cannot be run (ETXTBSY).
/// </summary>
internal static class ProcessCollection
{
    public const string Name = "processes";
}
