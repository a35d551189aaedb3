using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using InterGuest.Protos.V1;
using InterGuest.Switch.Diagnosis;
using PortLimits = InterGuest.Switch.Ports.PortLimits;
using Status = InterGuest.Protos.V1.Status;

namespace InterGuest.Switch.Control;

/// <summary>The gRPC service: takes requests apart, asks the <see cref="Switchboard"/> on its thread, and builds the answers.</summary>
public sealed class ControlService(Switchboard board, EventHub hub, SwitchOptions options, TimeProvider time, IHostApplicationLifetime lifetime)
    : Protos.V1.Control.ControlBase
{
    private readonly long _startedAt = time.GetTimestamp();

    /// <inheritdoc/>
    public override Task<Port> CreatePort(CreatePortRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => board.CreatePort(request.Name, Declaration.ToSpec(request), qmpSocket: request.QmpSocket).ToProto([]));

    /// <inheritdoc/>
    public override Task<Port> GetPort(GetPortRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => Show(board.GetPort(request.Name)));

    /// <inheritdoc/>
    public override Task<ListPortsResponse> ListPorts(ListPortsRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => new ListPortsResponse { Ports = { board.Ports.Select(Show) } });

    /// <inheritdoc/>
    public override Task<Empty> DeletePort(DeletePortRequest request, ServerCallContext context) => board.InvokeAsync(() =>
    {
        board.DeletePort(request.Name);
        return new Empty();
    });

    /// <inheritdoc/>
    public override Task<Protos.V1.Link> CreateLink(CreateLinkRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => board.CreateLink(
            request.Name, request.Ports, Declaration.TimeOf(request.Hold, "hold"), !request.Down, Declaration.TimeOf(request.FailAfter, "fail_after"),
            request.Policy.ToPolicy()).ToProto());

    /// <inheritdoc/>
    public override Task<Protos.V1.Link> GetLink(GetLinkRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => board.GetLink(request.Name).ToProto());

    /// <inheritdoc/>
    public override Task<ListLinksResponse> ListLinks(ListLinksRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => new ListLinksResponse { Links = { board.Links.Select(l => l.ToProto()) } });

    /// <inheritdoc/>
    public override Task<Empty> DeleteLink(DeleteLinkRequest request, ServerCallContext context) => board.InvokeAsync(() =>
    {
        board.DeleteLink(request.Name);
        return new Empty();
    });

    /// <inheritdoc/>
    public override Task<Protos.V1.Link> SetLinkUp(SetLinkUpRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => board.SetLinkUp(request.Name, request.Up).ToProto());

    /// <inheritdoc/>
    public override Task<Protos.V1.Link> MoveLink(MoveLinkRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => board.MoveLink(request.Name, request.Loop).ToProto());

    /// <inheritdoc/>
    public override Task<ApplyResponse> Apply(ApplyRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => TopologyApplier.Apply(board, options, request));

    /// <inheritdoc/>
    public override Task<Topology> Export(ExportRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => Declaration.Export(board, options));

    /// <inheritdoc/>
    public override Task<Protos.V1.Link> ReplugLink(ReplugLinkRequest request, ServerCallContext context) =>
        board.InvokeAsync(() => board.ReplugLink(request.Name).ToProto());

    /// <inheritdoc/>
    public override Task<Port> SetPort(SetPortRequest request, ServerCallContext context) => board.InvokeAsync(() =>
    {
        var now = board.GetPort(request.Name).Spec.Limits;
        var limits = new PortLimits(
            request.HasRate ? request.Rate : now.Rate, request.HasBurst ? request.Burst : request is { HasRate: true, Rate: 0 } ? 0 : now.Burst, request.HasInFlight ? request.InFlight : now.InFlight);
        bool? follows = request.Carrier == Carrier.Unspecified ? null : request.Carrier == Carrier.Follow;
        return Show(board.SetPort(request.Name, limits, follows, request.HasQmpSocket ? request.QmpSocket : null));
    });

    /// <inheritdoc/>
    public override Task<Status> GetStatus(GetStatusRequest request, ServerCallContext context) => StatusAsync();

    /// <summary>The whole picture at one moment.</summary>
    internal Task<Status> StatusAsync() => board.InvokeAsync(() => new Status
    {
        Switch = new SwitchInfo
        {
            Version = Product.Version,
            Pid = Environment.ProcessId,
            Started = board.Started.ToTimestamp(),
            Uptime = time.GetElapsedTime(_startedAt).ToDuration(),
            SocketDirectory = options.SocketDirectory,
            EventLoops = (uint)options.EventLoops,
            Loops = { board.Loops.Select(l => l.Loop.ToProto(l.Links)) },
        },
        Ports = { board.Ports.Select(Show) },
        Links = { board.Links.Select(l => l.ToProto()) },
    });

    /// <inheritdoc/>
    public override Task<Protos.V1.Diagnosis> Diagnose(DiagnoseRequest request, ServerCallContext context) => board.InvokeAsync(() =>
    {
        bool Wanted(string name) => request.Name == "" || request.Name == name;
        var links = board.Links.Where(l => Wanted(l.Name)).ToList();
        var ports = board.Ports.Where(p => Wanted(p.Name) || links.Exists(l => l.Ports.Contains(p))).ToList();
        if (request.Name != "" && ports.Count == 0)
            throw new SwitchException(SwitchError.NotFound, $"there is no port or link {request.Name}. 'interguest status' shows those there are");
        return Doctor.Examine(ports.Select(Show), links.Select(l => l.ToProto()), File.Exists);
    });

    /// <inheritdoc/>
    public override async Task Watch(WatchRequest request, IServerStreamWriter<Event> responseStream, ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        // Headers first: a watcher knows from them that it misses nothing from now on.
        var (subscription, current) = await board.InvokeAsync(() => (hub.Subscribe(), request.ReplayCurrent ? Current() : []));
        try
        {
            await context.WriteResponseHeadersAsync([]);
            foreach (var happened in current)
                await responseStream.WriteAsync(happened, ending.Token);
            await foreach (var happened in subscription.Events.ReadAllAsync(ending.Token))
                await responseStream.WriteAsync(happened, ending.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "the switch is stopping"));
        }
        catch (OperationCanceledException)
        {
            // The watcher has gone.
        }
        finally
        {
            await board.InvokeAsync(() =>
            {
                hub.Unsubscribe(subscription);
                return true;
            });
        }
    }

    /// <inheritdoc/>
    public override async Task Capture(CaptureRequest request, IServerStreamWriter<CaptureBatch> responseStream, ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        await new CaptureStream(board, request).RunAsync(responseStream, ending.Token);
        if (lifetime.ApplicationStopping.IsCancellationRequested)
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "the switch is stopping"));
    }

    private Port Show(Ports.Port port) => port.ToProto(board.LinksOf(port));

    private List<Event> Current()
    {
        var now = time.GetUtcNow();
        var ports = board.Ports.Select(p => new SwitchEvent(now, EventKind.Current, $"port {p.Name} is {SnakeCase.Of(p.State)}", p, null).ToProto(board.LinksOf(p)));
        var links = board.Links.Select(l => new SwitchEvent(now, EventKind.Current, $"link {l.Name} is {SnakeCase.Of(l.State)}", null, l).ToProto([]));
        return [.. ports, .. links];
    }
}
