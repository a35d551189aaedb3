using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Grpc.Core;
using Grpc.Net.Client;
using InterGuest.Protos.V1;

namespace InterGuest.Cli;

/// <summary>The one connection to the switch, and the one place where its errors become ours.</summary>
internal sealed class SwitchClient : IDisposable
{
    private readonly Endpoint _endpoint;
    private readonly CliContext _context;
    private readonly GrpcChannel _channel;
    private readonly Control.ControlClient _control;
    private SocketException? _connectFailure;

    public SwitchClient(Endpoint endpoint, CliContext context)
    {
        _endpoint = endpoint;
        _context = context;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            UseProxy = false,
            // Only Watch waits for long: it notices a switch that is frozen, or a network that is gone.
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        };
        if (endpoint.IsTls)
            handler.SslOptions = TlsSettings.Of(context);
        _channel = GrpcChannel.ForAddress(
            endpoint.Address, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        _control = new Control.ControlClient(_channel);
    }

    public Task<T> CallAsync<T>(
        Func<Control.ControlClient, CallOptions, AsyncUnaryCall<T>> call, CancellationToken cancellation) =>
        CallAsync(call, _context.CallDeadline, cancellation);

    public async Task<T> CallAsync<T>(
        Func<Control.ControlClient, CallOptions, AsyncUnaryCall<T>> call,
        TimeSpan deadline, CancellationToken cancellation)
    {
        try
        {
            // The library compares it with the system's clock, so no other will do.
            DateTime until = TimeProvider.System.GetUtcNow().UtcDateTime + deadline;
            using AsyncUnaryCall<T> running = call(_control, new CallOptions(null, until, cancellation));
            return await running;
        }
        catch (RpcException e)
        {
            cancellation.ThrowIfCancellationRequested();
            throw SwitchErrors.Of(e, _connectFailure, _endpoint, _context, deadline);
        }
    }

    /// <summary>Events until the caller cancels; that the switch ends the stream is an error.</summary>
    public async IAsyncEnumerable<Event> WatchAsync(
        bool replayCurrent, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using AsyncServerStreamingCall<Event> running =
            _control.Watch(new WatchRequest { ReplayCurrent = replayCurrent }, cancellationToken: cancellation);
        while (await NextAsync(running.ResponseStream, cancellation))
            yield return running.ResponseStream.Current;
        cancellation.ThrowIfCancellationRequested();
        throw SwitchErrors.WentAway(_endpoint, null);
    }

    /// <summary>Frames until there are as many as were asked for, or the caller cancels.</summary>
    public async IAsyncEnumerable<CaptureBatch> CaptureAsync(
        CaptureRequest request, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using AsyncServerStreamingCall<CaptureBatch> running = _control.Capture(request, cancellationToken: cancellation);
        while (await NextAsync(running.ResponseStream, cancellation))
            yield return running.ResponseStream.Current;
        cancellation.ThrowIfCancellationRequested();
    }

    public void Dispose() => _channel.Dispose();

    private async Task<bool> NextAsync<T>(IAsyncStreamReader<T> events, CancellationToken cancellation)
    {
        try
        {
            return await events.MoveNext(cancellation);
        }
        catch (RpcException e)
        {
            cancellation.ThrowIfCancellationRequested();
            throw SwitchErrors.Of(e, _connectFailure, _endpoint, _context, Timeout.InfiniteTimeSpan);
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext target, CancellationToken cancellation)
    {
        Socket socket = _endpoint.SocketPath is null
            ? new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            EndPoint address =
                _endpoint.SocketPath is { } path ? new UnixDomainSocketEndPoint(path) : target.DnsEndPoint;
            await socket.ConnectAsync(address, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (Exception e)
        {
            socket.Dispose();
            _connectFailure = e as SocketException;
            throw;
        }
    }
}
