using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace InterGuest.Cli;

/// <summary>Certificates for an https endpoint: ours, and the authority of the switch's.</summary>
internal static class TlsSettings
{
    public const string AuthorityVariable = "INTERGUEST_TLS_CA";
    public const string CertificateVariable = "INTERGUEST_TLS_CERT";
    public const string KeyVariable = "INTERGUEST_TLS_KEY";

    public static SslClientAuthenticationOptions Of(CliContext context)
    {
        string certificate = Required(context, CertificateVariable);
        string key = Required(context, KeyVariable);
        string authority = Required(context, AuthorityVariable);
        try
        {
            var chain = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            chain.CustomTrustStore.ImportFromPemFile(authority);
            return new SslClientAuthenticationOptions
            {
                ClientCertificates = [X509Certificate2.CreateFromPemFile(certificate, key)],
                CertificateChainPolicy = chain,
            };
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw CliException.Usage($"the certificates cannot be used: {e.Message}",
                $"See {AuthorityVariable}, {CertificateVariable} and {KeyVariable}.");
        }
    }

    private static string Required(CliContext context, string variable) =>
        context.Environment(variable) is { Length: > 0 } path
            ? path
            : throw CliException.Usage($"an https endpoint needs {variable}",
                $"Set {AuthorityVariable}, {CertificateVariable} and {KeyVariable} to PEM files: the switch's authority, "
                + "your certificate, its key.");
}
