using System.Diagnostics;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>
/// Takes requests from a virtqueue of a client and gives them to the server of its disk, with the one copy of what is to be
/// written. <see cref="ReplyJoin"/> brings the answers. What the server cannot take waits in the client's queue.
/// </summary>
public sealed class RequestJoin : SteppedJoin
{
    private readonly ServerSession _session;
    private readonly QueueEnd? _server;
    private readonly bool _takes;
    private readonly Chain _buffer = new();
    private Chain _next = new();
    private readonly long _madeAt = Stopwatch.GetTimestamp();
    private bool _joined;

    /// <summary>Joins a ring.</summary>
    /// <param name="queue">The ring's requests: those on their way are taken up again.</param>
    /// <param name="source">The ring.</param>
    /// <param name="enabled">Whether it may carry new requests; those on their way are ended in either case.</param>
    /// <param name="server">The server's ring for requests; null: it does not run, or the link is down.</param>
    /// <param name="session">The talk with the server.</param>
    /// <param name="loop">In which the join will be.</param>
    internal RequestJoin(ClientQueue queue, QueueEnd source, bool enabled, QueueEnd? server, ServerSession session, EventLoop loop)
    {
        (Queue, Source, _takes, _server, _session, Loop) = (queue, source, enabled, server, session, loop);
        Ends = server == null ? [source] : [source, server];
        (queue.End, queue.Join) = (source, this);
        queue.Load((SplitQueue)source.Queue);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<QueueEnd> Ends { get; }

    /// <summary>The client's ring.</summary>
    public QueueEnd Source { get; }

    internal ClientQueue Queue { get; }

    internal EventLoop Loop { get; }

    private BlockClient Client => Queue.Client;

    private bool CanSend => _server != null && _session.IsReady && ReferenceEquals(Client.Disk, _session.Disk);

    /// <inheritdoc/>
    public override void Wake()
    {
        if (!_joined)
            Enter();
        Source.Queue.DisableKicks();
    }

    /// <inheritdoc/>
    protected override void Publish()
    {
        Queue.Publish();
        _server?.Publish();
    }

    /// <summary>Looks whether requests have waited for too long, or the server is away for so long that none should wait.</summary>
    /// <param name="after">How long they may.</param>
    internal void Expire(TimeSpan after)
    {
        long before = Stopwatch.GetTimestamp() - (long)(after.TotalSeconds * Stopwatch.Frequency);
        if (!CanSend && Client.Disk != null && (_server == null ? _madeAt : _session.LostAt) < before)
        {
            Client.IsFailing = true;
            Loop.Activate(this);
        }
        if (Queue.Flights.Any(f => f.Began < before))
            FailOlder(before);
    }

    /// <summary>Fails requests, and lets go of a server that has any of them.</summary>
    /// <param name="before">A time, by <see cref="Stopwatch.GetTimestamp"/>: what was taken earlier is too old.</param>
    private void FailOlder(long before)
    {
        foreach (var flight in Queue.Flights.Where(f => f.Began < before).ToArray())
        {
            _session.Counters.Count(BlockFault.NoReply);
            Completion.End(Queue, flight, BlockStatus.IoError);
            Client.IsFailing = true;
        }
        Queue.ForgetWaiting();
        Queue.Publish();
        if (Client.HasOrphans)
            _session.Restart(); // nobody waits any longer for what the server has
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_joined)
            _session.Remove(this);
        (Queue.End, Queue.Join) = (null, null);
        _buffer.Dispose();
        _next.Dispose();
    }

    /// <summary>The first moment in the loop.</summary>
    private void Enter()
    {
        _joined = true;
        _session.Add(this);
        if (_session is { IsReady: true, Disk: { } disk })
            ServerSession.Tell(Client, disk);
    }

    /// <inheritdoc/>
    protected override TurnResult Step()
    {
        if (Queue.Epoch != _session.Epoch && CanSend)
            BeginEpoch();
        if (Queue.Waiting > 0 && CanSend)
            return SendNext();
        if (!(CanSend || (Client.IsFailing && Client.Disk != null)))
            return TurnResult.Sleep;
        if (Queue.Recovered.TryDequeue(out ushort head))
            return TakeAgain(head);
        if (!_takes || Queue.IsDraining)
            return TurnResult.Sleep;
        // What was begun is never kept waiting: a front-end may want the ring to come to rest.
        if (Limit is { IsSpent: true })
            return TurnResult.Limited;
        switch (Source.Queue.TryPop(_next))
        {
            case PopResult.Empty:
                return WaitFor(Source);
            case PopResult.BadRing:
                return Blame(Source);
            case PopResult.BadChain:
                Spent += WorkCost.Of(_next, 0);
                Source.Counters.Faulted(Source.Queue.Fault);
                return GiveBack(_next.Ticket);
            default:
                Spent += WorkCost.Of(_next, 0);
                return Begin();
        }
    }

    /// <summary>Everything that the server of the epoch before had is sent again.</summary>
    private void BeginEpoch()
    {
        Client.BeginEpoch(_session.Epoch);
        Queue.Epoch = _session.Epoch;
        Queue.RequeueAll(Client.Disk!.MaxData);
    }

    private TurnResult GiveBack(ChainTicket chain)
    {
        Source.Queue.AddUsed(chain, 0);
        Queue.IsDirty = true;
        return TurnResult.More;
    }

    /// <summary>A request that a switch before us had taken.</summary>
    private TurnResult TakeAgain(ushort head)
    {
        Spent += WorkCost.Of(_next, 0);
        switch (((SplitQueue)Source.Queue).Retake(head, _next))
        {
            case PopResult.Chain:
                return Begin(isNew: false);
            case PopResult.BadRing:
                return Blame(Source);
            default:
                Queue.Notes?.Used(head);
                return GiveBack(_next.Ticket);
        }
    }

    private TurnResult Begin(bool isNew = true)
    {
        var flight = Queue[_next.Ticket.Id];
        if (flight.InUse)
        {
            Source.Queue.Distrust(QueueFault.HeadInFlight);
            return Blame(Source);
        }
        _next = flight.Begin(_next, Client.NextSequence());
        Queue.Begun(flight, isNew);
        var fate = RequestReader.Read(flight, Client, Client.Disk!, out var status);
        Limit?.Charge((long)flight.DataBytes);
        if (fate == RequestFate.GiveBack)
            Completion.GiveBack(Queue, flight);
        else if (fate == RequestFate.Answer)
            Completion.End(Queue, flight, status);
        else if (Client.IsFailing)
            Completion.End(Queue, flight, BlockStatus.IoError);
        else
            Queue.Wait(flight);
        return TurnResult.More;
    }

    private TurnResult SendNext()
    {
        if (Client.HasOrphans)
            return TurnResult.Sleep; // until the last one has its reply, or the epoch ends
        // Others wait as well: no client has more than three quarters of what the server does at a time.
        if (_session.IsShared && Client.PartsOut >= Math.Max(8, _server!.Queue.Size * 3 / 4))
            return TurnResult.Sleep;
        var flight = Queue.FirstWaiting;
        if (flight.IsSpoilt)
        {
            Queue.StopWaiting();
            Completion.GiveBack(Queue, flight);
            return TurnResult.More;
        }
        int part = flight.NextPart;
        if (Client.MustWaitFor(flight.CostOf(part)))
            return TurnResult.Sleep;
        var request = flight.RequestOf(part, Client.TagOf(Queue, flight, part));
        var result = _server!.Queue.TryPop(_buffer);
        if (result == PopResult.Empty)
            return WaitFor(_server);
        if (result == PopResult.BadRing)
            return Blame(_server);
        Spent += WorkCost.Of(_buffer, 0);
        if (result == PopResult.BadChain || _buffer.WritableBytes < BlockServingRequest.Bytes + request.DataBytes)
        {
            _server.Queue.AddUsed(_buffer.Ticket, 0);
            _server.Counters.Faulted(result == PopResult.BadChain ? _server.Queue.Fault : QueueFault.BufferTooSmall);
            return TurnResult.More;
        }
        Send(flight, part, request);
        flight.Sent(part);
        Client.PartsOut++;
        Client.BytesOut += flight.CostOf(part);
        if (flight.Unsent == 0)
            Queue.StopWaiting();
        return TurnResult.More;
    }

    private void Send(Flight flight, int part, in BlockServingRequest request)
    {
        Span<byte> header = stackalloc byte[BlockServingRequest.Bytes];
        request.Write(header);
        var place = _buffer.Writable;
        place.Write(header);
        if (request.DataBytes > 0)
        {
            var data = flight.Chain.Readable;
            data.Advance(BlockRequest.Bytes + flight.OffsetOf(part));
            GuestCopy.Copy(ref data, ref place, request.DataBytes);
            Spent += WorkCost.Of(_buffer, request.DataBytes);
        }
        _server!.Queue.AddUsed(_buffer.Ticket, BlockServingRequest.Bytes + request.DataBytes);
    }
}
