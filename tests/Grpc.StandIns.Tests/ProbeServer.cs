using System.Collections.Concurrent;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using InterGuest.StandIns.Tests.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace InterGuest.StandIns.Tests;

/// <summary>The published server and client on the stand-ins, over a Unix socket.</summary>
public sealed class ProbeServer : IAsyncLifetime
{
    /// <summary>A method without protobuf, of a service without generated code.</summary>
    internal static readonly Method<string, string> Reverse = new(
        MethodType.Unary,
        "standins.v1.Handwritten",
        "Reverse",
        Marshallers.StringMarshaller,
        Marshallers.StringMarshaller);

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"standins-{Guid.NewGuid():N}.sock");
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _cancelled = [];
    private WebApplication? _app;
    private GrpcChannel? _channel;

    internal GrpcChannel Channel => _channel!;

    public async Task InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.ListenUnixSocket(_path, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc(options => options.Interceptors.Add<TagInterceptor>());
        builder.Services.AddSingleton(this);
        builder.Services.AddSingleton<TagInterceptor>();
        builder.Services.AddScoped<Service>();
        _app = builder.Build();
        _app.MapGrpcService<Service>();
        _app.MapGrpcService(ServerServiceDefinition.CreateBuilder()
            .AddMethod(Reverse, (request, _) => Task.FromResult(string.Concat(request.Reverse())))
            .Build());
        await _app.StartAsync();
        _channel = Connect(new GrpcChannelOptions());
    }

    public async Task DisposeAsync()
    {
        _channel?.Dispose();
        if (_app is not null)
            await _app.DisposeAsync();
        File.Delete(_path);
    }

    internal GrpcChannel Connect(GrpcChannelOptions options)
    {
        options.DisposeHttpClient = true;
        options.HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, token) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(_path), token);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        return GrpcChannel.ForAddress("http://localhost", options);
    }

    /// <summary>Done when the server's method of that call has seen its cancellation.</summary>
    internal Task Cancelled(string call) => Source(call).Task;

    private TaskCompletionSource Source(string call) =>
        _cancelled.GetOrAdd(call, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Marks every call that passes, by kind, in its trailers.</summary>
    private sealed class TagInterceptor : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            context.UserState["tag"] = "from the interceptor";
            context.ResponseTrailers.Add("kind", "unary");
            return continuation(request, context);
        }

        public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
            IAsyncStreamReader<TRequest> requestStream,
            ServerCallContext context,
            ClientStreamingServerMethod<TRequest, TResponse> continuation)
        {
            context.ResponseTrailers.Add("kind", "client streaming");
            return continuation(requestStream, context);
        }

        public override Task ServerStreamingServerHandler<TRequest, TResponse>(
            TRequest request,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            ServerStreamingServerMethod<TRequest, TResponse> continuation)
        {
            context.ResponseTrailers.Add("kind", "server streaming");
            return continuation(request, responseStream, context);
        }

        public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
            IAsyncStreamReader<TRequest> requestStream,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            DuplexStreamingServerMethod<TRequest, TResponse> continuation)
        {
            context.ResponseTrailers.Add("kind", "duplex");
            return continuation(requestStream, responseStream, context);
        }
    }

    private sealed class Service(ProbeServer server) : Probe.ProbeBase
    {
        public override async Task<Text> Greet(Text request, ServerCallContext context)
        {
            Metadata headers = new() { { "method", context.Method }, { "tag", (string)context.UserState["tag"] } };
            if (context.RequestHeaders.GetValueBytes("data-bin") is { } data)
                headers.Add("data-bin", data);
            if (context.GetHttpContext().Request.Headers["grpc-encoding"] is [{ } encoding])
                headers.Add("seen-encoding", encoding);
            if (context.RequestHeaders.GetValue("authorization") is { } authorization)
                headers.Add("seen-authorization", authorization);
            await context.WriteResponseHeadersAsync(headers);
            return new Text { Value = $"hello, {request.Value}" };
        }

        public override async Task Count(
            Number request, IServerStreamWriter<Number> responseStream, ServerCallContext context)
        {
            for (long i = 1; i <= request.Value; i++)
                await responseStream.WriteAsync(new Number { Value = i }, context.CancellationToken);
        }

        public override async Task<Number> Sum(IAsyncStreamReader<Number> requestStream, ServerCallContext context)
        {
            long sum = 0;
            await foreach (Number number in requestStream.ReadAllAsync(context.CancellationToken))
                sum += number.Value;
            return new Number { Value = sum };
        }

        public override async Task Shout(
            IAsyncStreamReader<Text> requestStream, IServerStreamWriter<Text> responseStream, ServerCallContext context)
        {
            while (await requestStream.MoveNext())
                await responseStream.WriteAsync(new Text { Value = requestStream.Current.Value.ToUpperInvariant() });
        }

        public override Task<Text> Fail(FailRequest request, ServerCallContext context) => throw Failure(request);

        public override async Task CountAndFail(
            FailRequest request, IServerStreamWriter<Number> responseStream, ServerCallContext context)
        {
            await responseStream.WriteAsync(new Number { Value = 1 });
            throw Failure(request);
        }

        public override Task<Text> Break(Text request, ServerCallContext context) =>
            throw new InvalidOperationException("a secret of the server");

        public override async Task<Text> Hang(Text request, ServerCallContext context)
        {
            await UntilCancelled(request.Value, context);
            return new Text();
        }

        public override async Task HangStreaming(
            Text request, IServerStreamWriter<Text> responseStream, ServerCallContext context)
        {
            await responseStream.WriteAsync(request);
            await UntilCancelled(request.Value, context);
        }

        private static RpcException Failure(FailRequest request) => new(
            new Status((StatusCode)request.Code, request.Detail),
            new Metadata { { "reason", "asked for" }, { "reason-bin", [0, 1, 254, 255] } });

        private async Task UntilCancelled(string call, ServerCallContext context)
        {
            try
            {
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            }
            finally
            {
                server.Source(call).TrySetResult();
            }
        }
    }
}
