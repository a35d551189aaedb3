using System.Text;
using Grpc.Core;
using InterGuest.Protos.V1;
using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>Words, and for terminals colours, for the values of the protocol's enumerations.</summary>
internal static class Words
{
    private static readonly Style Good = new(Color.Green);
    private static readonly Style Attention = new(Color.Yellow);
    private static readonly Style Bad = new(Color.Red);

    public static Style Warning => Attention;

    public static Style Failure => Bad;

    public static (string Word, Style Style) Of(PortState state) => state switch
    {
        PortState.Waiting => ("waiting", Attention),
        PortState.Listening => ("listening", Style.Plain),
        PortState.Connecting => ("connecting", Attention),
        PortState.Connected => ("connected", Attention),
        PortState.Negotiating => ("negotiating", Attention),
        PortState.Running => ("running", Good),
        PortState.Stopped => ("stopped", Attention),
        PortState.Faulted => ("faulted", Bad),
        _ => (Unknown((int)state), Style.Plain),
    };

    public static (string Word, Style Style) Of(LinkState state) => state switch
    {
        LinkState.Up => ("up", Good),
        LinkState.Down => ("down", Bad),
        LinkState.Waiting => ("waiting", Attention),
        _ => (Unknown((int)state), Style.Plain),
    };

    public static (string Word, Style Style) Of(Severity severity) => severity switch
    {
        Severity.Good => ("good", Good),
        Severity.Note => ("note", Style.Plain),
        Severity.Warning => ("warning", Attention),
        Severity.Problem => ("problem", Bad),
        _ => (Unknown((int)severity), Style.Plain),
    };

    public static string Of(DeviceType type) => type switch
    {
        DeviceType.Net => "net",
        DeviceType.Block => "block",
        DeviceType.BlockServer => "block-server",
        DeviceType.Console => "console",
        DeviceType.Entropy => "entropy",
        DeviceType.EntropySource => "entropy-source",
        _ => Unknown((int)type),
    };

    public static string Of(SocketMode mode) => mode switch
    {
        SocketMode.Connect => "connect",
        SocketMode.Listen or SocketMode.Unspecified => "listen",
        _ => Unknown((int)mode),
    };

    /// <summary>As gRPC's specification writes it: NOT_FOUND.</summary>
    public static string StatusCode(StatusCode code)
    {
        if (code == Grpc.Core.StatusCode.OK)
            return "OK";
        var text = new StringBuilder();
        foreach (char c in code.ToString())
        {
            if (char.IsUpper(c) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToUpperInvariant(c));
        }
        return text.ToString();
    }

    /// <summary>Without control characters, which a terminal would obey.</summary>
    public static string Clean(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? '?' : c)) : text;

    /// <summary>A dash where there is nothing, so that every row has every column.</summary>
    public static string OrDash(string text) => text.Length > 0 ? text : "-";

    // A switch newer than this program has values that it does not know.
    private static string Unknown(int value) => value == 0 ? "unknown" : $"unknown ({value})";
}
