using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using InterGuest.StandIns.Tests.V1;

namespace InterGuest.StandIns.Tests;

/// <summary>Calls through the published client to the published server, both on the stand-ins.</summary>
public class RoundTripTests(ProbeServer server) : IClassFixture<ProbeServer>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private Probe.ProbeClient Client { get; } = new(server.Channel);

    private static DateTime In(TimeSpan time) => TimeProvider.System.GetUtcNow().UtcDateTime + time;

    [Fact]
    public async Task Unary_with_headers_and_trailers()
    {
        Metadata headers = new() { { "Data-Bin", [0, 1, 254, 255] } };
        using AsyncUnaryCall<Text> call = Client.GreetAsync(new Text { Value = "world" }, headers, In(Patience));

        Metadata responseHeaders = await call.ResponseHeadersAsync;
        Text response = await call;

        Assert.Equal("hello, world", response.Value);
        Assert.Equal("/standins.v1.Probe/Greet", responseHeaders.GetValue("method"));
        Assert.Equal("from the interceptor", responseHeaders.GetValue("tag"));
        Assert.Equal([0, 1, 254, 255], responseHeaders.GetValueBytes("data-bin"));
        Assert.Equal("unary", call.GetTrailers().GetValue("kind"));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public void Unary_blocking() => Assert.Equal("hello, you", Client.Greet(new Text { Value = "you" }).Value);

    [Fact]
    public async Task Server_streaming()
    {
        using AsyncServerStreamingCall<Number> call = Client.Count(new Number { Value = 100 }, deadline: In(Patience));

        List<long> numbers = [];
        await foreach (Number number in call.ResponseStream.ReadAllAsync())
            numbers.Add(number.Value);

        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), numbers);
        Assert.Equal("server streaming", call.GetTrailers().GetValue("kind"));
    }

    [Fact]
    public async Task Client_streaming()
    {
        using AsyncClientStreamingCall<Number, Number> call = Client.Sum(deadline: In(Patience));

        for (int i = 1; i <= 100; i++)
            await call.RequestStream.WriteAsync(new Number { Value = i });
        await call.RequestStream.CompleteAsync();

        Assert.Equal(5050, (await call).Value);
        Assert.Equal("client streaming", call.GetTrailers().GetValue("kind"));
    }

    [Fact]
    public async Task Duplex_in_lock_step()
    {
        using AsyncDuplexStreamingCall<Text, Text> call = Client.Shout(deadline: In(Patience));

        foreach (string word in new[] { "one", "two", "three" })
        {
            await call.RequestStream.WriteAsync(new Text { Value = word });
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal(word.ToUpperInvariant(), call.ResponseStream.Current.Value);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext());
        Assert.Equal("duplex", call.GetTrailers().GetValue("kind"));
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.AlreadyExists)]
    [InlineData(StatusCode.FailedPrecondition)]
    [InlineData(StatusCode.Unauthenticated)]
    public async Task Error_status_with_trailers(StatusCode code)
    {
        var request = new FailRequest { Code = (int)code, Detail = "name: 'ü%' is taken" };

        RpcException error = await Assert.ThrowsAsync<RpcException>(async () =>
            await Client.FailAsync(request, deadline: In(Patience)));

        Assert.Equal(code, error.StatusCode);
        Assert.Equal("name: 'ü%' is taken", error.Status.Detail);
        Assert.Equal("asked for", error.Trailers.GetValue("reason"));
        Assert.Equal([0, 1, 254, 255], error.Trailers.GetValueBytes("reason-bin"));
    }

    [Fact]
    public async Task Error_status_after_a_message()
    {
        var request = new FailRequest { Code = (int)StatusCode.DataLoss, Detail = "after one" };
        using AsyncServerStreamingCall<Number> call = Client.CountAndFail(request, deadline: In(Patience));

        Assert.True(await call.ResponseStream.MoveNext());
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());

        Assert.Equal(StatusCode.DataLoss, error.StatusCode);
        Assert.Equal("asked for", error.Trailers.GetValue("reason"));
        Assert.Equal(StatusCode.DataLoss, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Other_exceptions_become_unknown_without_their_text()
    {
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () =>
            await Client.BreakAsync(new Text(), deadline: In(Patience)));

        Assert.Equal(StatusCode.Unknown, error.StatusCode);
        Assert.DoesNotContain("secret", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_method_without_code_is_unimplemented()
    {
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () =>
            await Client.AbsentAsync(new Text(), deadline: In(Patience)));

        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
    }

    [Fact]
    public async Task A_service_of_handwritten_methods()
    {
        CallInvoker invoker = server.Channel.CreateCallInvoker();
        using AsyncUnaryCall<string> call = invoker.AsyncUnaryCall(
            ProbeServer.Reverse, null, new CallOptions(deadline: In(Patience)), "grüße");

        Assert.Equal("eßürg", await call);
    }

    [Fact]
    public async Task Deadline_ends_the_call_on_both_sides()
    {
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () =>
            await Client.HangAsync(new Text { Value = "deadline" }, deadline: In(TimeSpan.FromSeconds(0.5)))
                .ResponseAsync.WaitAsync(Patience));

        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
        await server.Cancelled("deadline").WaitAsync(Patience);
    }

    [Fact]
    public async Task Cancelling_ends_the_call_on_both_sides()
    {
        using var source = new CancellationTokenSource();
        using AsyncServerStreamingCall<Text> call = Client.HangStreaming(
            new Text { Value = "token" }, cancellationToken: source.Token);
        Assert.True(await call.ResponseStream.MoveNext().WaitAsync(Patience));
        Assert.False(server.Cancelled("token").IsCompleted);

        await source.CancelAsync();

        RpcException error = await Assert.ThrowsAsync<RpcException>(() =>
            call.ResponseStream.MoveNext().WaitAsync(Patience));
        Assert.Equal(StatusCode.Cancelled, error.StatusCode);
        await server.Cancelled("token").WaitAsync(Patience);
    }

    [Fact]
    public async Task Disposing_ends_the_call_on_the_server()
    {
        using (AsyncServerStreamingCall<Text> call = Client.HangStreaming(new Text { Value = "dispose" }))
            Assert.True(await call.ResponseStream.MoveNext().WaitAsync(Patience));

        await server.Cancelled("dispose").WaitAsync(Patience);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    public async Task Requests_can_be_compressed(string encoding)
    {
        string text = new('x', 100_000);
        Metadata headers = new() { { "grpc-internal-encoding-request", encoding } };
        using AsyncUnaryCall<Text> call = Client.GreetAsync(new Text { Value = text }, headers, In(Patience));

        Assert.Equal($"hello, {text}", (await call).Value);
        Assert.Equal(encoding, (await call.ResponseHeadersAsync).GetValue("seen-encoding"));
    }

    [Fact]
    public async Task A_clients_interceptor_changes_headers()
    {
        var client = new Probe.ProbeClient(server.Channel.Intercept(
            headers => [.. headers, new Metadata.Entry("authorization", "intercepted")]));
        using AsyncUnaryCall<Text> call = client.GreetAsync(new Text(), deadline: In(Patience));

        Assert.Equal("intercepted", (await call.ResponseHeadersAsync).GetValue("seen-authorization"));
        await call;
    }

    [Fact]
    public async Task Call_credentials_go_where_the_channel_allows_them()
    {
        CallCredentials credentials = CallCredentials.Compose(
            CallCredentials.FromInterceptor(async (context, metadata) =>
            {
                await Task.Yield();
                metadata.Add("Authorization", $"for {context.MethodName}");
            }),
            CallCredentials.FromInterceptor((_, metadata) =>
            {
                metadata.Add("data-bin", [42]);
                return Task.CompletedTask;
            }));
        using GrpcChannel channel = server.Connect(new GrpcChannelOptions
        {
            Credentials = ChannelCredentials.Create(ChannelCredentials.Insecure, credentials),
            UnsafeUseInsecureChannelCallCredentials = true,
        });
        using AsyncUnaryCall<Text> call = new Probe.ProbeClient(channel).GreetAsync(new Text(), deadline: In(Patience));

        Metadata headers = await call.ResponseHeadersAsync;
        Assert.Equal("for Greet", headers.GetValue("seen-authorization"));
        Assert.Equal([42], headers.GetValueBytes("data-bin"));
        await call;

        Assert.ThrowsAny<Exception>(() => server.Connect(new GrpcChannelOptions
        {
            Credentials = ChannelCredentials.Create(ChannelCredentials.Insecure, credentials),
        }));
    }

    [Fact]
    public async Task A_channel_without_a_server_is_unavailable()
    {
        using GrpcChannel channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
        {
            DisposeHttpClient = true,
            HttpHandler = new SocketsHttpHandler
            {
                ConnectCallback = (_, _) => throw new IOException("nobody is there"),
            },
        });

        RpcException error = await Assert.ThrowsAsync<RpcException>(async () =>
            await new Probe.ProbeClient(channel).GreetAsync(new Text(), deadline: In(Patience)));

        Assert.Equal(StatusCode.Unavailable, error.StatusCode);
        Assert.NotNull(error.Status.DebugException);
    }
}
