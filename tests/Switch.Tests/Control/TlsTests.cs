using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Client = InterGuest.Protos.V1.Control.ControlClient;

namespace InterGuest.Switch.Tests.Control;

/// <summary>The control plane over TCP: both sides show a certificate, or there is no answer.</summary>
public sealed class TlsTests : IAsyncLifetime, IDisposable
{
    private const string ServerUse = "1.3.6.1.5.5.7.3.1", ClientUse = "1.3.6.1.5.5.7.3.2";

    private readonly TemporaryDirectory _directory = new();
    private readonly X509Certificate2 _authority = Authority("ours"), _stranger = Authority("a stranger's");
    private RunningApplication _switch = null!;
    private int _port;

    public async Task InitializeAsync()
    {
        using var server = Issue(_authority, "switch", ServerUse);
        await File.WriteAllTextAsync(_directory.At("switch.pem"), server.ExportCertificatePem());
        await File.WriteAllTextAsync(_directory.At("switch.key"), server.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        await File.WriteAllTextAsync(_directory.At("ca.pem"), _authority.ExportCertificatePem());
        using (var free = new TcpListener(System.Net.IPAddress.Loopback, 0))
        {
            free.Start();
            _port = ((System.Net.IPEndPoint)free.LocalEndpoint).Port;
        }
        _switch = await RunningApplication.StartAsync(RunningApplication.OptionsIn(_directory) with
        {
            ControlTcp = new Uri($"https://127.0.0.1:{_port}"),
            Tls = new TlsFiles(_directory.At("switch.pem"), _directory.At("switch.key"), _directory.At("ca.pem")),
            Operators = ["cn:alice"],
            Readers = ["cn:bob"],
        });
    }

    public async Task DisposeAsync() => await _switch.DisposeAsync();

    public void Dispose()
    {
        _authority.Dispose();
        _stranger.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task WhoHasACertificateIsWhoItSays()
    {
        using var alice = Issue(_authority, "alice", ClientUse);
        using var bob = Issue(_authority, "bob", ClientUse);
        Assert.Equal("a", (await CallAsync(alice, c => c.CreatePortAsync(new() { Name = "a" }))).Name);
        Assert.Single((await CallAsync(bob, c => c.ListPortsAsync(new()))).Ports);
        var error = await Assert.ThrowsAsync<RpcException>(() => CallAsync(bob, c => c.DeletePortAsync(new() { Name = "a" })));
        Assert.Equal(StatusCode.PermissionDenied, error.StatusCode);
        Assert.Contains("'bob' may not call DeletePort", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnybodyElseGetsNoAnswer()
    {
        using var forged = Issue(_stranger, "alice", ClientUse);
        using var server = Issue(_authority, "alice", ServerUse); // a stolen server's certificate is no client's
        using var old = Issue(_authority, "alice", ClientUse, days: -1);
        foreach (var certificate in new[] { null, forged, server, old })
            // With TLS 1.3 a client thinks that it is through before the server has looked at its certificate: how it learns better is chance.
            Assert.Contains(
                (await Assert.ThrowsAsync<RpcException>(() => CallAsync(certificate, c => c.GetStatusAsync(new())))).StatusCode,
                new[] { StatusCode.Unavailable, StatusCode.Internal });
    }

    [Fact]
    public async Task WithoutTlsNothingIsSaid()
    {
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{_port}");
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => new Client(channel).GetStatusAsync(new()).ResponseAsync)).StatusCode);
    }

    private async Task<T> CallAsync<T>(X509Certificate2? certificate, Func<Client, AsyncUnaryCall<T>> call)
    {
        using var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                ClientCertificates = certificate == null ? null : [certificate],
                CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck },
            },
        };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.Add(_authority);
        using var channel = GrpcChannel.ForAddress($"https://127.0.0.1:{_port}", new GrpcChannelOptions { HttpHandler = handler });
        return await call(new Client(channel)).ResponseAsync.WaitAsync(Testing.TestGuest.Patience);
    }

    private static X509Certificate2 Authority(string name)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(Now.AddDays(-7), Now.AddDays(7));
    }

    private static X509Certificate2 Issue(X509Certificate2 authority, string name, string use, int days = 1)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, Now.AddDays(-5), Now.AddDays(days), RandomNumberGenerator.GetBytes(8));
        return certificate.CopyWithPrivateKey(key);
    }

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();
}
