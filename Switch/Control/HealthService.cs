using Grpc.Core;
using InterGuest.Protos.Health.V1;
using ServingStatus = InterGuest.Protos.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace InterGuest.Switch.Control;

/// <summary>
/// gRPC's health service: the switch serves while all its threads answer, those that move frames too. Every service has the
/// health of the whole, for they share the threads.
/// </summary>
public sealed class HealthService(Switchboard board, IReadOnlyCollection<string> services, IHostApplicationLifetime lifetime) : Health.HealthBase
{
    /// <summary>How long a thread may take to answer. A turn of a loop takes microseconds.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often a watched status is looked at.</summary>
    internal TimeSpan Period { get; init; } = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        var status = await StatusOf(request.Service);
        return status != ServingStatus.ServiceUnknown
            ? new HealthCheckResponse { Status = status }
            : throw new RpcException(new Status(StatusCode.NotFound, $"there is no service {request.Service}; there are {string.Join(", ", services)}"));
    }

    /// <inheritdoc/>
    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var told = ServingStatus.Unknown;
        while (!context.CancellationToken.IsCancellationRequested)
        {
            var status = await StatusOf(request.Service);
            if (status != told)
                await responseStream.WriteAsync(new HealthCheckResponse { Status = told = status }, context.CancellationToken);
            if (lifetime.ApplicationStopping.IsCancellationRequested)
                return;
            await Task.Delay(Period, ending.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }

    private async Task<ServingStatus> StatusOf(string service)
    {
        if (service != "" && !services.Contains(service))
            return ServingStatus.ServiceUnknown;
        return !lifetime.ApplicationStopping.IsCancellationRequested && await ThreadsAnswer() ? ServingStatus.Serving : ServingStatus.NotServing;
    }

    private async Task<bool> ThreadsAnswer()
    {
        try
        {
            await board.ThreadsAnswerAsync().WaitAsync(Patience);
            return true;
        }
        catch (Exception e) when (e is TimeoutException or ObjectDisposedException)
        {
            return false;
        }
    }
}
