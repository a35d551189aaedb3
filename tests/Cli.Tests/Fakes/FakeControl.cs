using System.Collections.Concurrent;
using System.Threading.Channels;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using InterGuest.Protos.V1;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Tests.Fakes;

/// <summary>A switch that answers what a test puts into it, and remembers what it was asked.</summary>
internal sealed class FakeControl : Control.ControlBase
{
    private readonly Channel<Event> _events = Channel.CreateUnbounded<Event>();
    private readonly Channel<Event> _sent = Channel.CreateUnbounded<Event>();
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ConcurrentQueue<IMessage> Requests { get; } = new();

    public List<Port> Ports { get; } = [];

    public List<Link> Links { get; } = [];

    /// <summary>What GetLink answers in order, before it looks into <see cref="Links"/>: a link that changes.</summary>
    public Queue<Link> LinkChanges { get; } = new();

    /// <summary>GetStatus answers these in order, the last one for ever.</summary>
    public Queue<SwitchStatus> Samples { get; } = new();

    public Diagnosis Diagnosis { get; set; } = new();

    public CaptureBatch[] Captured { get; set; } = [];

    /// <summary>If set, every call fails with it.</summary>
    public RpcException? Failure { get; set; }

    /// <summary>If set, no call is answered before its client gives up.</summary>
    public bool Silent { get; set; }

    /// <summary>Done when a call has come in.</summary>
    public Task Asked => _asked.Task.WaitAsync(TimeSpan.FromSeconds(60));

    /// <summary>Done when the client of a call that was not answered gave up.</summary>
    public Task Cancelled => _cancelled.Task;

    public ChannelWriter<Event> Events => _events.Writer;

    public Task NextEventSent() => _sent.Reader.ReadAsync().AsTask();

    public T OnlyRequest<T>() => Assert.IsType<T>(Assert.Single(Requests));

    public override async Task<Port> CreatePort(CreatePortRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        string path = request.SocketPath.Length > 0 ? request.SocketPath : $"/run/ig/{request.Name}.sock";
        return new Port { Name = request.Name, SocketPath = path };
    }

    public override async Task<Port> GetPort(GetPortRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return Ports.Single(port => port.Name == request.Name);
    }

    public override async Task<Port> SetPort(SetPortRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return new Port { Name = request.Name };
    }

    public override async Task<ListPortsResponse> ListPorts(ListPortsRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return new ListPortsResponse { Ports = { Ports } };
    }

    public override async Task<Empty> DeletePort(DeletePortRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return new Empty();
    }

    public override async Task<Link> CreateLink(CreateLinkRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return new Link
        {
            Name = request.Name,
            Ports = { request.Ports },
            State = LinkState.Waiting,
            Reason = "port b: no guest",
            Warnings = { "a sends checksums for b to fill in" },
        };
    }

    public override async Task<Link> GetLink(GetLinkRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return LinkChanges.TryDequeue(out Link? changed) ? changed : Links.Single(link => link.Name == request.Name);
    }

    public override async Task<Link> ReplugLink(ReplugLinkRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return LinkChanges.Dequeue();
    }

    public override async Task<ListLinksResponse> ListLinks(ListLinksRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return new ListLinksResponse { Links = { Links } };
    }

    public override async Task<Empty> DeleteLink(DeleteLinkRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return new Empty();
    }

    public override async Task<Link> SetLinkUp(SetLinkUpRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        LinkState state = request.Up ? LinkState.Up : LinkState.Down;
        return new Link { Name = request.Name, AdminUp = request.Up, State = state };
    }

    public override async Task<Link> MoveLink(MoveLinkRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return new Link { Name = request.Name, Loop = request.Loop, State = LinkState.Up };
    }

    public ApplyResponse Applied { get; } = new();

    public Topology Exported { get; } = new();

    public override async Task<ApplyResponse> Apply(ApplyRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return Applied;
    }

    public override async Task<Topology> Export(ExportRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return Exported;
    }

    public override async Task<SwitchStatus> GetStatus(GetStatusRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return Samples.Count > 1 ? Samples.Dequeue() : Samples.Peek();
    }

    public override async Task<Diagnosis> Diagnose(DiagnoseRequest request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        return Diagnosis;
    }

    public override async Task Capture(
        CaptureRequest request, IServerStreamWriter<CaptureBatch> responseStream, ServerCallContext context)
    {
        await BeginAsync(request, context);
        foreach (CaptureBatch batch in Captured)
            await responseStream.WriteAsync(batch, context.CancellationToken);
    }

    public override async Task Watch(
        WatchRequest request, IServerStreamWriter<Event> responseStream, ServerCallContext context)
    {
        await BeginAsync(request, context);
        await foreach (Event happened in _events.Reader.ReadAllAsync(context.CancellationToken))
        {
            await responseStream.WriteAsync(happened, context.CancellationToken);
            _sent.Writer.TryWrite(happened);
        }
    }

    private async Task BeginAsync(IMessage request, ServerCallContext context)
    {
        Requests.Enqueue(request);
        _asked.TrySetResult();
        if (Failure is not null)
            throw Failure;
        if (!Silent)
            return;
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration registration =
            context.CancellationToken.Register(() => gone.TrySetResult());
        await gone.Task;
        _cancelled.TrySetResult();
    }
}
