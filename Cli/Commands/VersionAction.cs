using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;

namespace InterGuest.Cli.Commands;

/// <summary>--version: this program's version, and nothing else.</summary>
internal sealed class VersionAction : SynchronousCommandLineAction
{
    /// <summary>Without the commit that the SDK appends.</summary>
    public static string Version { get; } =
        typeof(VersionAction).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
            .InformationalVersion.Split('+')[0];

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        parseResult.InvocationConfiguration.Output.WriteLine(Version);
        return ExitCodes.Success;
    }
}
