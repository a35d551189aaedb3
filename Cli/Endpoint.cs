using System.Text;

namespace InterGuest.Cli;

/// <summary>Where the switch's control plane is: a Unix socket or an HTTP address.</summary>
internal sealed record Endpoint
{
    public const string Variable = "INTERGUEST_ENDPOINT";
    public const string RootSocket = "/run/interguest/control.sock";

    private const string UnixScheme = "unix:";
    private const string Forms = "An endpoint is unix:PATH, https://HOST:PORT or http://HOST:PORT.";

    // sun_path has 108 bytes, the last one 0: unix(7).
    private const int LongestSocketPath = 107;

    private Endpoint(string text, string? socketPath, Uri address)
    {
        Text = text;
        SocketPath = socketPath;
        Address = address;
    }

    /// <summary>As its owner wrote it.</summary>
    public string Text { get; }

    /// <summary>The socket's path, or null: TCP.</summary>
    public string? SocketPath { get; }

    /// <summary>What gRPC is told; for a Unix socket the host in it means nothing.</summary>
    public Uri Address { get; }

    /// <summary>The option, else the environment's, else the default of this user.</summary>
    public static Endpoint Resolve(string? option, CliContext context)
    {
        if (option is not null)
            return Parse(option, "--endpoint");
        string? variable = context.Environment(Variable);
        if (!string.IsNullOrEmpty(variable))
            return Parse(variable, Variable);
        return context.IsRoot
            ? Parse(UnixScheme + RootSocket, "the default")
            : OfRuntimeDirectory(context.Environment("XDG_RUNTIME_DIR"));
    }

    public static Endpoint Parse(string text, string source)
    {
        if (text.StartsWith(UnixScheme, StringComparison.Ordinal))
            return ParseUnix(text, source);
        if (Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps)
            && uri is { PathAndQuery: "/", UserInfo: "", Fragment: "" })
            return new Endpoint(text, null, uri);
        throw CliException.Usage($"{source}: '{text}' is not an endpoint", Forms);
    }

    /// <summary>Whether certificates are asked for, on both sides.</summary>
    public bool IsTls => Address.Scheme == Uri.UriSchemeHttps;

    public override string ToString() => Text;

    private static Endpoint ParseUnix(string text, string source)
    {
        string path = text[UnixScheme.Length..];
        if (path.StartsWith("///", StringComparison.Ordinal))
            path = path[2..]; // unix:///run/..., as gRPC writes it too
        if (path.Length == 0 || path.StartsWith("//", StringComparison.Ordinal) || path.Contains('\0'))
            throw CliException.Usage($"{source}: '{text}' has no path", Forms);
        int length = Encoding.UTF8.GetByteCount(path);
        if (length > LongestSocketPath)
            throw CliException.Usage($"{source}: the socket's path has {length} bytes",
                $"The system allows {LongestSocketPath}; use a shorter one.");
        return new Endpoint(text, path, new Uri("http://localhost"));
    }

    private static Endpoint OfRuntimeDirectory(string? directory)
    {
        // Never /tmp: anybody could put a socket there first and be told all that is configured.
        if (string.IsNullOrEmpty(directory) || !Path.IsPathRooted(directory))
            throw CliException.Usage(
                string.IsNullOrEmpty(directory)
                    ? "XDG_RUNTIME_DIR is not set, so there is no default endpoint"
                    : $"XDG_RUNTIME_DIR is '{directory}', not an absolute path, so there is no default endpoint",
                $"Set it, or say where the switch is: --endpoint unix:PATH, or {Variable}.");
        return Parse($"{UnixScheme}{Path.Combine(directory, "interguest", "control.sock")}", "XDG_RUNTIME_DIR");
    }
}
