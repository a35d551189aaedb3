using System.Buffers;
using Grpc.Core;
using Grpc.Core.Interceptors;
using InterGuest.StandIns.Tests.V1;

namespace InterGuest.StandIns.Tests;

/// <summary>What the API's documentation says of values and small classes.</summary>
public class SemanticsTests
{
    [Fact]
    public void Metadata_keys_are_lower_case_and_found_in_any_case()
    {
        Metadata metadata = new() { { "X-Name", "one" }, { "x-other", "two" }, { "x-name", "three" } };

        Assert.Equal(["x-name", "x-other", "x-name"], metadata.Select(entry => entry.Key));
        Assert.Equal("three", metadata.GetValue("X-NAME"));
        Assert.Equal(["one", "three"], metadata.GetAll("x-Name").Select(entry => entry.Value));
        Assert.Null(metadata.GetValue("absent"));
        Assert.Null(metadata.Get("absent"));
        Assert.Null(metadata.GetValueBytes("absent"));
    }

    [Fact]
    public void Binary_values_have_keys_in_bin_and_are_copied()
    {
        byte[] bytes = [1, 0, 255];
        var entry = new Metadata.Entry("Key-BIN", bytes);
        bytes[0] = 9;
        entry.ValueBytes[1] = 9;

        Assert.True(entry.IsBinary);
        Assert.Equal("key-bin", entry.Key);
        Assert.Equal([1, 0, 255], entry.ValueBytes);
        Assert.Throws<InvalidOperationException>(() => entry.Value);
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("key", bytes));
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("key-bin", "text"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a:b")]
    [InlineData("é")]
    [InlineData("\u212A")] // the Kelvin sign, whose lower case is an ASCII k
    [InlineData("a\n")]
    public void Other_characters_are_no_metadata_key(string key) =>
        Assert.Throws<ArgumentException>(() => new Metadata.Entry(key, "value"));

    [Fact]
    public void Text_has_bytes_and_Empty_stays_empty()
    {
        Assert.Equal("abc"u8.ToArray(), new Metadata.Entry("a.b_c-1", "abc").ValueBytes);
        Assert.Throws<InvalidOperationException>(() => Metadata.Empty.Add("a", "b"));
        Assert.Throws<InvalidOperationException>(Metadata.Empty.Clear);
        Assert.Empty(Metadata.Empty);
    }

    [Fact]
    public void Status_and_exception_carry_each_other()
    {
        var cause = new IOException("cause");
        var status = new Status(StatusCode.NotFound, "no port 'a'", cause);
        var exception = new RpcException(status, new Metadata { { "k", "v" } });

        Assert.Equal(StatusCode.NotFound, exception.StatusCode);
        Assert.Equal("no port 'a'", exception.Status.Detail);
        Assert.Same(cause, exception.InnerException);
        Assert.Equal("v", exception.Trailers.GetValue("k"));
        Assert.Contains("StatusCode=\"NotFound\", Detail=\"no port 'a'\"", exception.Message, StringComparison.Ordinal);
        Assert.Empty(new RpcException(status).Trailers);
        Assert.Equal("said otherwise", new RpcException(status, "said otherwise").Message);
        Assert.Equal(StatusCode.OK, Status.DefaultSuccess.StatusCode);
        Assert.Equal(StatusCode.Cancelled, Status.DefaultCancelled.StatusCode);
    }

    [Fact]
    public void The_codes_are_those_of_the_wire()
    {
        string[] names =
        [
            "OK", "Cancelled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
            "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
            "Internal", "Unavailable", "DataLoss", "Unauthenticated",
        ];
        Assert.Equal(names, Enumerable.Range(0, 17).Select(code => ((StatusCode)code).ToString()));
        Assert.Equal(names.Length, Enum.GetValues<StatusCode>().Length);
    }

    [Fact]
    public void CallOptions_are_copied_with_one_change()
    {
        using var source = new CancellationTokenSource();
        var headers = new Metadata();
        var deadline = new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        CallCredentials credentials = CallCredentials.FromInterceptor((_, _) => Task.CompletedTask);
        var options = new CallOptions();

        CallOptions changed = options
            .WithHeaders(headers)
            .WithDeadline(deadline)
            .WithCancellationToken(source.Token)
            .WithWriteOptions(WriteOptions.Default)
            .WithCredentials(credentials)
            .WithWaitForReady();

        var constructed = new CallOptions(
            headers, deadline, source.Token, WriteOptions.Default, null, credentials);

        Assert.Equal(default, options);
        Assert.Equal(changed, constructed.WithWaitForReady());
        Assert.Same(headers, changed.Headers);
        Assert.Equal(deadline, changed.Deadline);
        Assert.Equal(source.Token, changed.CancellationToken);
        Assert.Same(WriteOptions.Default, changed.WriteOptions);
        Assert.Same(credentials, changed.Credentials);
        Assert.True(changed.IsWaitForReady);
        Assert.False(changed.WithWaitForReady(false).IsWaitForReady);
        Assert.Same(headers, changed.WithWaitForReady(false).Headers);
    }

    [Fact]
    public void A_marshaller_of_either_kind_gives_the_other()
    {
        Marshaller<string> simple = Marshallers.StringMarshaller;
        Marshaller<string> contextual = Marshallers.Create<string>(
            (text, context) =>
            {
                byte[] bytes = simple.Serializer(text);
                context.SetPayloadLength(bytes.Length);
                context.GetBufferWriter().Write(bytes);
                context.Complete();
            },
            context => simple.Deserializer(context.PayloadAsReadOnlySequence().ToArray()));
        Marshaller<string> viaContext = Marshallers.Create(
            simple.ContextualSerializer, simple.ContextualDeserializer);

        foreach (Marshaller<string> marshaller in new[] { simple, contextual, viaContext })
        {
            Assert.Equal("grüße"u8.ToArray(), marshaller.Serializer("grüße"));
            Assert.Equal("grüße", marshaller.Deserializer("grüße"u8.ToArray()));
            Assert.Empty(marshaller.Serializer(""));
        }

        Marshaller<string> lazy = Marshallers.Create<string>((_, _) => { }, _ => "");
        Assert.Throws<InvalidOperationException>(() => lazy.Serializer("x"));
    }

    [Fact]
    public async Task A_writer_without_tokens_refuses_one()
    {
        using var source = new CancellationTokenSource();
        IAsyncStreamWriter<string> writer = new PlainWriter();

        await writer.WriteAsync("a", CancellationToken.None);
        await Assert.ThrowsAsync<NotSupportedException>(() => writer.WriteAsync("b", source.Token));
    }

    [Fact]
    public void Interceptors_are_asked_in_order_and_the_last_put_on_first()
    {
        List<string> log = [];
        var invoker = new Recorder(log);
        CallInvoker all = invoker
            .Intercept(headers => [.. headers, new Metadata.Entry("added", "yes")])
            .Intercept(new Named("b", log), new Named("c", log))
            .Intercept(new Named("a", log));

        new Probe.ProbeClient(all).Greet(new Text());
        Assert.Equal(["a", "b", "c", "call Greet host= added=yes"], log);

        log.Clear();
        new Probe.ProbeClient(all).WithHost("other").Greet(new Text());
        Assert.Equal(["a", "b", "c", "call Greet host=other added=yes"], log);
    }

    [Fact]
    public void A_client_without_a_channel_is_for_test_doubles_only() =>
        Assert.Throws<NotImplementedException>(() => new ChannelLess().Greet(new Text()));

    [Fact]
    public async Task A_call_object_hands_on_what_it_was_made_of()
    {
        int disposed = 0;
        var headers = new Metadata();
        var trailers = new Metadata();
        using (var call = new AsyncUnaryCall<string>(
            Task.FromResult("response"),
            Task.FromResult(headers),
            () => Status.DefaultCancelled,
            () => trailers,
            () => disposed++))
        {
            Assert.Equal("response", await call);
            Assert.Equal("response", await call.ConfigureAwait(true));
            Assert.Same(headers, await call.ResponseHeadersAsync);
            Assert.Equal(StatusCode.Cancelled, call.GetStatus().StatusCode);
            Assert.Same(trailers, call.GetTrailers());
        }

        Assert.Equal(1, disposed);
    }

    [Fact]
    public void Credentials_are_composed_of_two_or_more()
    {
        CallCredentials one = CallCredentials.FromInterceptor((_, _) => Task.CompletedTask);

        Assert.Throws<ArgumentException>(() => CallCredentials.Compose(one));
        ChannelCredentials both = ChannelCredentials.Create(ChannelCredentials.SecureSsl, one);
        Assert.Throws<ArgumentException>(() => ChannelCredentials.Create(both, one));
    }

    [Fact]
    public void A_service_definition_has_each_method_once()
    {
        Marshaller<string> text = Marshallers.StringMarshaller;
        var method = new Method<string, string>(MethodType.Unary, "pkg.S", "M", text, text);
        UnaryServerMethod<string, string> handler = (request, _) => Task.FromResult(request);
        ServerServiceDefinition.Builder builder = ServerServiceDefinition.CreateBuilder().AddMethod(method, handler);

        Assert.Equal("/pkg.S/M", method.FullName);
        Assert.Throws<ArgumentException>(() => builder.AddMethod(method, handler));
    }

    [Fact]
    public void An_auth_context_knows_its_peer_by_one_property()
    {
        var property = AuthProperty.Create("cn", "name"u8.ToArray());
        var known = new AuthContext("cn", new() { ["cn"] = [property], ["x"] = [AuthProperty.Create("x", [])] });
        var unknown = new AuthContext(null, []);

        Assert.True(known.IsPeerAuthenticated);
        Assert.Equal("name", Assert.Single(known.PeerIdentity).Value);
        Assert.Equal(2, known.Properties.Count());
        Assert.Empty(known.FindPropertiesByName("absent"));
        Assert.False(unknown.IsPeerAuthenticated);
        Assert.Empty(unknown.PeerIdentity);
    }

    private sealed class PlainWriter : IAsyncStreamWriter<string>
    {
        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(string message) => Task.CompletedTask;
    }

    private sealed class ChannelLess : Probe.ProbeClient;

    private sealed class Named(string name, List<string> log) : Interceptor
    {
        public override TResponse BlockingUnaryCall<TRequest, TResponse>(
            TRequest request,
            ClientInterceptorContext<TRequest, TResponse> context,
            BlockingUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            log.Add(name);
            return base.BlockingUnaryCall(request, context, continuation);
        }
    }

    private sealed class Recorder(List<string> log) : CallInvoker
    {
        public override TResponse BlockingUnaryCall<TRequest, TResponse>(
            Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
        {
            log.Add($"call {method.Name} host={host} added={options.Headers?.GetValue("added")}");
            return (TResponse)(object)new Text();
        }

        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
            throw new NotSupportedException();

        public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
            Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
            throw new NotSupportedException();

        public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
            Method<TRequest, TResponse> method, string? host, CallOptions options) =>
            throw new NotSupportedException();

        public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
            Method<TRequest, TResponse> method, string? host, CallOptions options) =>
            throw new NotSupportedException();
    }
}
