using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace InterGuest.Switch.Control;

/// <summary>Who is at the other end of a connection to the control plane.</summary>
/// <param name="Uid">The user of a Unix socket's other end; null: not such a socket.</param>
/// <param name="Groups">That user's groups.</param>
/// <param name="CommonName">Of the certificate that a TLS client showed; null: none.</param>
public sealed record Caller(uint? Uid, IReadOnlyList<uint> Groups, string? CommonName)
{
    private const int SolSocket = 1, PeerCredentials = 17, PeerGroups = 59;

    /// <summary>As many as the kernel lets a process have would be 65536; who has more than these is not known by the others.</summary>
    private const int MostGroups = 1024;

    /// <summary>Nobody that is known: plain TCP.</summary>
    public static Caller Unknown { get; } = new(null, [], null);

    /// <summary>Asks the kernel, which noted it when the connection was made.</summary>
    public static Caller Of(Socket? socket, X509Certificate2? certificate) => socket?.AddressFamily == AddressFamily.Unix
        ? OfUnixSocket(socket)
        : Unknown with { CommonName = certificate?.GetNameInfo(X509NameType.SimpleName, forIssuer: false) };

    /// <inheritdoc/>
    public override string ToString() =>
        Uid is { } uid ? string.Create(CultureInfo.InvariantCulture, $"user {uid}")
        : CommonName is { } name ? $"the holder of the certificate '{name}'"
        : "whoever comes without a certificate";

    private static Caller OfUnixSocket(Socket socket)
    {
        // struct ucred: pid, uid, gid, each of 32 bits.
        Span<byte> credentials = stackalloc byte[12];
        socket.GetRawSocketOption(SolSocket, PeerCredentials, credentials);
        uint gid = BitConverter.ToUInt32(credentials[8..]);
        return new Caller(BitConverter.ToUInt32(credentials[4..]), [gid, .. SupplementaryGroups(socket)], null);
    }

    private static uint[] SupplementaryGroups(Socket socket)
    {
        var bytes = new byte[MostGroups * sizeof(uint)];
        try
        {
            int length = socket.GetRawSocketOption(SolSocket, PeerGroups, bytes);
            return [.. Enumerable.Range(0, length / sizeof(uint)).Select(i => BitConverter.ToUInt32(bytes, i * sizeof(uint)))];
        }
        catch (SocketException)
        {
            return []; // more of them than fit, or a kernel that does not tell
        }
    }
}
