using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace InterGuest.Switch.Control;

/// <summary>TLS on the control plane, both sides with a certificate: who has none of the right authority gets no answer.</summary>
internal static class ControlTls
{
    /// <summary>id-kp-clientAuth (RFC 5280, 4.2.1.12).</summary>
    private static readonly Oid ClientAuthentication = new("1.3.6.1.5.5.7.3.2");

    /// <exception cref="SwitchException">A file cannot be read, or is not what it should be.</exception>
    public static void Configure(HttpsConnectionAdapterOptions https, TlsFiles files)
    {
        https.ServerCertificate = Load("--tls-cert and --tls-key", $"{files.Certificate} and {files.Key}", () => X509Certificate2.CreateFromPemFile(files.Certificate, files.Key));
        var authorities = Load("--tls-client-ca", files.ClientAuthorities, () =>
        {
            var all = new X509Certificate2Collection();
            all.ImportFromPemFile(files.ClientAuthorities);
            return all.Count > 0 ? all : throw new CryptographicException("it has no certificate in it");
        });
        https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
        https.ClientCertificateValidation = (certificate, chain, _) => IsIssuedBy(authorities, certificate, chain);
    }

    private static bool IsIssuedBy(X509Certificate2Collection authorities, X509Certificate2 certificate, X509Chain? sent)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        // Authorities of one's own rarely publish revocations; who is to lose the right is left out of --operator.
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(ClientAuthentication);
        if (sent != null)
            chain.ChainPolicy.ExtraStore.AddRange(sent.ChainPolicy.ExtraStore);
        return chain.Build(certificate);
    }

    private static T Load<T>(string option, string files, Func<T> load)
    {
        try
        {
            return load();
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new SwitchException(SwitchError.Precondition, $"{option}: {files} cannot be used: {e.Message}");
        }
    }
}
