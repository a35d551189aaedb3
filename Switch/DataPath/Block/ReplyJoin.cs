using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>
/// Takes what the server of a disk sends: announcements, and replies, whose data are copied once, into the buffers of the
/// client that asked for them. Begins epochs. What the server says is believed in nothing: see docs/block-serving.md, section 7.
/// </summary>
public sealed class ReplyJoin(QueueEnd requests, QueueEnd replies, ServerSession session, EventLoop loop) : SteppedJoin
{
    /// <summary>The longest header that is read, and an announcement behind it.</summary>
    private const int MostBytes = 256;

    private readonly Chain _message = new();
    private readonly Chain _buffer = new();
    private readonly List<ClientQueue> _dirty = [];

    // A client that may have no more in flight has room for more.
    private bool _wakes;

    /// <summary>In which it is.</summary>
    internal EventLoop Loop => loop;

    /// <inheritdoc/>
    public override IReadOnlyList<QueueEnd> Ends { get; } = [requests, replies];

    /// <inheritdoc/>
    public override void Wake()
    {
        session.Replies = this;
        replies.Queue.DisableKicks();
    }

    /// <inheritdoc/>
    protected override TurnResult Step() => session.NeedsStart ? Start() : Take();

    /// <inheritdoc/>
    protected override void Publish()
    {
        // The clients first: a server must not learn that its reply is through before it is.
        foreach (var queue in _dirty)
            queue.Publish();
        if (_wakes || (_dirty.Count > 0 && session.IsShared))
            session.Wake(); // there is room for more of theirs
        _wakes = false;
        _dirty.Clear();
        replies.Publish();
        requests.Publish();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        session.Replies = null;
        _message.Dispose();
        _buffer.Dispose();
    }

    private TurnResult Start()
    {
        var result = requests.Queue.TryPop(_buffer);
        if (result == PopResult.Empty)
            return WaitFor(requests);
        if (result == PopResult.BadRing)
            return Blame(requests);
        Spent += WorkCost.Of(_buffer, BlockServingStart.Bytes);
        if (result == PopResult.BadChain || _buffer.WritableBytes < BlockServingStart.Bytes)
        {
            requests.Queue.AddUsed(_buffer.Ticket, 0);
            requests.Counters.Faulted(result == PopResult.BadChain ? requests.Queue.Fault : QueueFault.BufferTooSmall);
            return TurnResult.More;
        }
        Span<byte> bytes = stackalloc byte[BlockServingStart.Bytes];
        new BlockServingStart(session.Epoch, BlockServingStart.Version, BlockServingStart.Version).Write(bytes);
        var place = _buffer.Writable;
        place.Write(bytes);
        requests.Queue.AddUsed(_buffer.Ticket, BlockServingStart.Bytes);
        session.Started();
        return TurnResult.More;
    }

    private TurnResult Take()
    {
        switch (replies.Queue.TryPop(_message))
        {
            case PopResult.Empty:
                return WaitFor(replies);
            case PopResult.BadRing:
                return Blame(replies);
            case PopResult.BadChain:
                replies.Counters.Faulted(replies.Queue.Fault);
                break;
            default:
                if (Handle() is { } fault)
                    session.Counters.Count(fault);
                break;
        }
        Spent += WorkCost.Of(_message, 0);
        replies.Queue.AddUsed(_message.Ticket, 0);
        return TurnResult.More;
    }

    private BlockFault? Handle()
    {
        Span<byte> bytes = stackalloc byte[MostBytes];
        var start = _message.Readable;
        bytes = bytes[..start.Read(bytes)];
        if (bytes.Length < BlockMessage.Bytes)
            return BlockFault.BadMessage;
        var message = BlockMessage.Parse(bytes);
        if (message.Type is not (BlockMessageType.Announce or BlockMessageType.Reply))
            return BlockFault.BadMessage;
        if (message.Tag.Epoch != session.Epoch)
            return BlockFault.StaleEpoch;
        if (message.Type == BlockMessageType.Announce)
        {
            if (BlockAnnouncement.TryParse(message, bytes) is not { } disk)
                return BlockFault.BadMessage;
            session.Announce(disk);
            return null;
        }
        return BlockServingReply.TryParse(message, bytes, out var reply) ? Reply(reply, message.HeaderBytes) : BlockFault.BadMessage;
    }

    private BlockFault? Reply(in BlockServingReply reply, int headerBytes)
    {
        if (session.Find(reply.Tag.Client) is not { } client || client.FindQueue(reply.Tag.Queue) is not { } queue
            || queue.Find(reply.Tag) is not { } flight)
            return session.TakeOrphan(reply.Tag) ? BlockFault.LateReply : BlockFault.UnknownTag;
        int part = reply.Tag.Part;
        var fault = Fill(flight, part, reply, headerBytes, out var status);
        client.Took(1, flight.CostOf(part));
        _wakes |= client.IsHeldBack;
        flight.Replied(part, status);
        if (flight.Unreplied == 0)
        {
            session.Counters.Done(flight.Operation, flight.DataBytes, flight.Status);
            if (!queue.IsDirty)
                _dirty.Add(queue);
            Completion.End(queue, flight, flight.Status);
        }
        return fault;
    }

    /// <summary>Copies what was read into the client's buffers, as much as was asked for and no more.</summary>
    private BlockFault? Fill(Flight flight, int part, in BlockServingReply reply, int headerBytes, out BlockStatus status)
    {
        status = reply.HasValidStatus ? (BlockStatus)reply.Status : BlockStatus.IoError;
        if (!reply.HasValidStatus)
            return BlockFault.BadStatus;
        uint wanted = flight.Operation == BlockOperation.In && status == BlockStatus.Ok ? flight.BytesOf(part) : 0;
        var data = _message.Readable;
        data.Advance((ulong)headerBytes);
        ulong there = Math.Min(reply.DataBytes, data.Remaining);
        if (there < wanted)
        {
            status = BlockStatus.IoError;
            return BlockFault.ShortReply;
        }
        if (wanted > 0 && !flight.IsSpoilt)
        {
            var place = flight.Chain.Writable;
            place.Advance(flight.OffsetOf(part));
            GuestCopy.Copy(ref data, ref place, wanted);
            Spent += WorkCost.Of(_message, wanted);
        }
        return there > wanted ? BlockFault.LongReply : null;
    }
}
