using System.CommandLine;
using System.CommandLine.Parsing;

namespace InterGuest.Cli.Commands;

/// <summary>The options that every command has.</summary>
internal static class GlobalOptions
{
    private const string JsonName = "--json";
    private const string EndpointName = "--endpoint";

    public static Option<bool> Json() => new(JsonName)
    {
        Description = "Output for machines: the message as protobuf's JSON (lowerCamelCase, zeros written out, 64-bit "
            + "numbers as strings), errors too.",
        Recursive = true,
    };

    public static Option<string> Endpoint() => new(EndpointName)
    {
        Description = "Where the switch is: unix:PATH, http://HOST:PORT, or https://HOST:PORT with PEM files named by "
            + "INTERGUEST_TLS_CA, _CERT and _KEY. Default: $INTERGUEST_ENDPOINT, else interguest/control.sock in /run "
            + "(root) or in $XDG_RUNTIME_DIR (others).",
        HelpName = "ENDPOINT",
        Recursive = true,
    };

    public static bool IsJson(ParseResult result) => result.GetValue<bool>(JsonName);

    /// <summary>For use while the line is being parsed, when it may still be wrong.</summary>
    public static bool IsJson(SymbolResult result) => result.GetResult(JsonName) is OptionResult { Implicit: false };

    public static Endpoint EndpointOf(ParseResult result, CliContext context) =>
        Cli.Endpoint.Resolve(result.GetValue<string?>(EndpointName), context);

    public static SwitchClient Connect(ParseResult result, CliContext context) =>
        new(EndpointOf(result, context), context);
}
