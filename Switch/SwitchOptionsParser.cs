using System.Globalization;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch;

/// <summary>Makes <see cref="SwitchOptions"/> of what was said on the command line.</summary>
internal static class SwitchOptionsParser
{
    /// <exception cref="SwitchException">It makes no sense.</exception>
    public static SwitchOptions Parse(IReadOnlyList<string> control, string sockets, string state, int? loops, string? cpus)
    {
        var options = new SwitchOptions
        {
            SocketDirectory = Absolute("--socket-dir", sockets),
            StateDirectory = Absolute("--state-dir", state),
        };
        if (cpus != null)
            options = options with { Cpus = Cpus(cpus) };
        options = options with { EventLoops = loops ?? (options.Cpus.Count > 0 ? options.Cpus.Count : options.EventLoops) };
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

    /// <summary>A list of CPUs, as <c>1,4-6</c>.</summary>
    /// <exception cref="SwitchException">It is none, or this process may not use one of them.</exception>
    private static List<int> Cpus(string text)
    {
        var allowed = KernelThread.AllowedCpus();
        var cpus = text.Split(',').SelectMany(part => Range(part, text)).ToList();
        return cpus.FindIndex(c => !allowed.Contains(c)) is >= 0 and var bad
            ? throw Invalid($"--cpus: this process may not use CPU {cpus[bad]}. It may use {string.Join(", ", allowed)}")
            : cpus;
    }

    private static IEnumerable<int> Range(string part, string text)
    {
        var ends = part.Split('-').Select(e => int.TryParse(e, NumberStyles.None, CultureInfo.InvariantCulture, out int cpu) && cpu < 1 << 16 ? cpu : -1).ToList();
        return ends.Count <= 2 && !ends.Contains(-1) && ends[0] <= ends[^1]
            ? Enumerable.Range(ends[0], ends[^1] - ends[0] + 1)
            : throw Invalid($"--cpus: '{text}' is no list of CPUs such as 2,3 or 4-7");
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
        if (Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps)
            && uri.AbsolutePath == "/" && IsHost(uri))
            return options with { ControlTcp = uri };
        throw Invalid($"--control: '{endpoint}' is neither unix:PATH nor https://HOST:PORT nor http://HOST:PORT with HOST an address or localhost");
    }

    /// <summary>TCP has certificates on both sides, or is this machine's own and its owner has said that this will do.</summary>
    /// <exception cref="SwitchException">It is neither.</exception>
    public static SwitchOptions Secure(SwitchOptions options, string? certificate, string? key, string? clientAuthorities, bool plain)
    {
        string?[] files = [certificate, key, clientAuthorities];
        bool tls = options.ControlTcp?.Scheme == Uri.UriSchemeHttps;
        if (tls != files.Any(f => f != null) || (tls && files.Contains(null)))
            throw Invalid("--control https://HOST:PORT goes with --tls-cert, --tls-key and --tls-client-ca, all of them");
        if (options.ControlTcp is { Scheme: "http" } uri && !plain)
            throw Invalid($"--control {uri.OriginalString}: every user of this machine could command the switch there. Use https://, or say --plain-http if that is meant");
        if (options.ControlTcp is { Scheme: "http", IsLoopback: false } far)
            throw Invalid($"--control {far.OriginalString}: without TLS only loopback addresses are listened at. Use https://");
        return tls ? options with { Tls = new TlsFiles(Path.GetFullPath(certificate!), Path.GetFullPath(key!), Path.GetFullPath(clientAuthorities!)) } : options;
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
