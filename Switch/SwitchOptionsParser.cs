using System.Globalization;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch;

/// <summary>Makes <see cref="SwitchOptions"/> of what was said on the command line.</summary>
internal static class SwitchOptionsParser
{
    /// <exception cref="SwitchException">It makes no sense.</exception>
    public static SwitchOptions Parse(IReadOnlyList<string> control, string sockets, string state, int loops)
    {
        var options = new SwitchOptions
        {
            SocketDirectory = Absolute("--socket-dir", sockets),
            StateDirectory = Absolute("--state-dir", state),
            EventLoops = loops,
        };
        foreach (string endpoint in control.Count > 0 ? control : [$"unix:{Defaults.ControlSocket}"])
            options = Add(options, endpoint);
        return options;
    }

    /// <summary>Where something is to be read over HTTP: an address, or a port of this host alone.</summary>
    /// <exception cref="SwitchException">It is neither.</exception>
    public static Uri? HttpAddress(string option, string? text)
    {
        if (text == null)
            return null;
        if (ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            return new Uri($"http://127.0.0.1:{port}");
        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttp && uri.PathAndQuery == "/" && IsHost(uri)
            ? uri
            : throw Invalid($"{option}: '{text}' is neither a port nor http://HOST:PORT with HOST an address or localhost");
    }

    /// <summary>A collector that metrics are sent to.</summary>
    /// <exception cref="SwitchException">It is no such address.</exception>
    public static Uri? Collector(string option, string? text)
    {
        if (text == null)
            return null;
        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps)
            ? uri
            : throw Invalid($"{option}: '{text}' is neither http://HOST:PORT nor http://HOST:PORT/v1/metrics (or https)");
    }

    private static bool IsHost(Uri uri) => uri.Host == "localhost" || uri.HostNameType is UriHostNameType.IPv4 or UriHostNameType.IPv6;

    private static SwitchOptions Add(SwitchOptions options, string endpoint)
    {
        if (endpoint.StartsWith("unix:", StringComparison.Ordinal) && endpoint.Length > 5)
        {
            string path = Absolute("--control", endpoint[5..]);
            if (!UnixSocket.Fits(path))
                throw Invalid($"--control: {path} is longer than the {UnixSocket.MaxPathBytes} bytes that a socket's path may have");
            return options with { ControlSocket = path };
        }
        if (Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttp && uri.AbsolutePath == "/" && IsHost(uri))
            return options with { ControlTcp = uri };
        throw Invalid($"--control: '{endpoint}' is neither unix:PATH nor http://HOST:PORT with HOST an address or localhost");
    }

    private static string Absolute(string option, string path)
    {
        // Without XDG_RUNTIME_DIR an ordinary user's defaults have no place to be.
        if (path.StartsWith("interguest/", StringComparison.Ordinal))
            throw Invalid($"{option}: XDG_RUNTIME_DIR is not set, so there is no default. Give {option}, or set it");
        return Path.GetFullPath(path);
    }

    private static SwitchException Invalid(string message) => new(SwitchError.Invalid, message);
}
