using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>How a turn of a join ended, and whom it waits for or is to blame.</summary>
public enum TransferResult
{
    /// <summary>The turn is over, and there may be more to do.</summary>
    More,

    /// <summary>The sender has sent nothing more.</summary>
    SourceEmpty,

    /// <summary>The receiver has no buffers; the sender's frame waits.</summary>
    TargetEmpty,

    /// <summary>The sender broke the rules of its ring.</summary>
    SourceFault,

    /// <summary>The receiver broke the rules of its ring.</summary>
    TargetFault,
}

/// <summary>
/// One direction of a link: takes frames from the transmit queue of one guest and puts them into the receive queue of
/// another. Without a receiver it takes them and drops them, as a cable that leads nowhere does.
/// </summary>
public sealed class NetJoin : IDisposable
{
    /// <summary>An Ethernet header (14).</summary>
    private const ulong MinFrame = 14;

    /// <summary>The largest IP packet behind an Ethernet header with two VLAN tags.</summary>
    private const ulong MaxFrame = 65535 + 14 + 8;

    private readonly Chain _frame = new();
    private readonly FrameSink? _sink;
    private readonly DropReason _dropReason;
    private readonly TrafficCounters? _link;
    private readonly ulong _allowed;
    private bool _delivered;

    /// <summary>Joins two queues.</summary>
    /// <param name="source">A transmit queue.</param>
    /// <param name="target">A receive queue of the other guest.</param>
    /// <param name="hold">How long a frame waits for buffers before it is dropped.</param>
    /// <param name="link">Counts for the link, beside the ports' own counters.</param>
    public NetJoin(QueueEnd source, QueueEnd target, TimeSpan hold, TrafficCounters link)
    {
        (Source, Target, Hold, _link) = (source, target, hold, link);
        _sink = new FrameSink(target);
        _allowed = FeaturePairs.MayReceive(source.Features) & target.Features;
    }

    /// <summary>Drops what a queue sends.</summary>
    public NetJoin(QueueEnd source, DropReason reason, TrafficCounters? link)
    {
        (Source, _dropReason, _link) = (source, reason, link);
    }

    /// <summary>The sender.</summary>
    public QueueEnd Source { get; }

    /// <summary>The receiver, if there is one.</summary>
    public QueueEnd? Target { get; }

    /// <summary>How long a frame waits for buffers.</summary>
    public TimeSpan Hold { get; }

    /// <summary>In its loop: has it a turn to come.</summary>
    internal bool Active { get; set; }

    /// <summary>In its loop: when the wait for buffers ends, by <see cref="Environment.TickCount64"/>; 0: it does not wait.</summary>
    internal long HoldUntil { get; set; }

    /// <summary>The wait for buffers is over: drop until the receiver has some again.</summary>
    internal bool Dropping { get; set; }

    /// <summary>Whether the last turn moved or dropped a frame.</summary>
    internal bool Progressed { get; private set; }

    /// <summary>Moves up to <paramref name="budget"/> frames, then shows both guests what was done.</summary>
    public TransferResult Transfer(int budget)
    {
        Progressed = _delivered = false;
        var result = TransferResult.More;
        while (budget-- > 0 && result == TransferResult.More)
            result = TransferOne();
        if (Progressed)
            Source.Counters.Taken();
        // The receiver first: a sender must not learn that a frame is through before the receiver can have it.
        Target?.Publish(_delivered);
        Source.Publish(Progressed);
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _frame.Dispose();
        _sink?.Dispose();
    }

    private TransferResult TransferOne()
    {
        switch (Source.Queue.TryPop(_frame))
        {
            case PopResult.Empty:
                return TransferResult.SourceEmpty;
            case PopResult.BadRing:
                return TransferResult.SourceFault;
            case PopResult.BadChain:
                Source.Counters.Faulted(Source.Queue.Fault);
                return Drop(DropReason.BadChain);
        }
        if (_sink == null)
            return Drop(_dropReason);
        var frame = _frame.Readable;
        if (Check(ref frame, out NetHeader header) is { } reason)
            return Drop(reason);
        switch (_sink.Put(header, frame))
        {
            case PutResult.Delivered:
                return Deliver((long)frame.Remaining);
            case PutResult.TooLong:
                return Drop(DropReason.TooLongForReceiver);
            case PutResult.NoBuffers when Dropping || Hold == TimeSpan.Zero:
                return Drop(DropReason.NoBuffers);
            case PutResult.NoBuffers:
                Source.Queue.UndoPop(1);
                return TransferResult.TargetEmpty;
            default:
                Source.Queue.UndoPop(1);
                return TransferResult.TargetFault;
        }
    }

    /// <summary>Reads the header once, checks it, and moves <paramref name="frame"/> behind it. Null: it may be delivered.</summary>
    private DropReason? Check(ref SegmentCursor frame, out NetHeader header)
    {
        header = default;
        Span<byte> bytes = stackalloc byte[NetHeader.Bytes];
        if (frame.Read(bytes[..Source.HeaderBytes]) < Source.HeaderBytes || frame.Remaining < MinFrame)
            return DropReason.TooShort;
        if (frame.Remaining > MaxFrame)
            return DropReason.TooLong;
        header = NetHeader.Parse(bytes);
        if (!header.TrySanitize(frame.Remaining))
            return DropReason.BadHeader;
        ulong needed = header.NeededToReceive();
        if ((needed & ~_allowed) == 0)
            return null;
        return (needed & ~FeaturePairs.MayReceive(Source.Features)) != 0 ? DropReason.BadHeader : DropReason.OffloadRefused;
    }

    private TransferResult Deliver(long bytes)
    {
        Source.Queue.AddUsed(_frame.Head, 0);
        Source.Counters.Traffic.Delivered(bytes);
        Target!.Counters.Traffic.Delivered(bytes);
        _link?.Delivered(bytes);
        Progressed = _delivered = true;
        Dropping = false;
        return TransferResult.More;
    }

    private TransferResult Drop(DropReason reason)
    {
        Source.Queue.AddUsed(_frame.Head, 0);
        Source.Counters.Traffic.Dropped(reason);
        _link?.Dropped(reason);
        Progressed = true;
        return TransferResult.More;
    }
}
