using System.Text;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace InterGuest.Switch.Control;

/// <summary>Makes gRPC status codes of what went wrong: the one place where they are chosen.</summary>
public sealed partial class ErrorInterceptor(ILogger<ErrorInterceptor> logger) : Interceptor
{
    /// <inheritdoc/>
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw Translate(context.Method, e);
        }
    }

    /// <inheritdoc/>
    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception e) when (e is not RpcException && !context.CancellationToken.IsCancellationRequested)
        {
            throw Translate(context.Method, e);
        }
    }

    private RpcException Translate(string method, Exception exception)
    {
        switch (exception)
        {
            case SwitchException e:
                return new RpcException(new Status(Code(e.Kind), e.Message), TrailersOf(e));
            case ObjectDisposedException:
                return new RpcException(new Status(StatusCode.Unavailable, "the switch is stopping"));
            default:
                LogFault(method, exception);
                return new RpcException(new Status(StatusCode.Internal, $"the switch failed: {exception.Message}. Its log has the details"));
        }
    }

    /// <summary>Binary: a name that is refused may have any characters.</summary>
    private static Metadata TrailersOf(SwitchException e) =>
        e.Subject == "" ? [] : new Metadata { { "interguest-subject-bin", Encoding.UTF8.GetBytes(e.Subject) } };

    private static StatusCode Code(SwitchError kind) => kind switch
    {
        SwitchError.Invalid => StatusCode.InvalidArgument,
        SwitchError.AlreadyExists => StatusCode.AlreadyExists,
        SwitchError.NotFound => StatusCode.NotFound,
        _ => StatusCode.FailedPrecondition,
    };

    [LoggerMessage(LogLevel.Error, "{Method} failed")]
    private partial void LogFault(string method, Exception exception);
}
