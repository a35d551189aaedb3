using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// Moves bytes from the buffers that one guest sends into those that another one offers, as a pipe does: in order, without
/// loss, and without regard to where a buffer ends. A console's way (VIRTIO 1.2, 5.3.6), and that of randomness (5.4.6).
/// What the receiver has no room for stays with the sender; but a buffer that is through in part when the join ends is given
/// back, and its rest is counted as dropped.
/// </summary>
public sealed class ByteJoin : SteppedJoin
{
    private readonly QueueEnd _source;
    private readonly QueueEnd _target;
    private readonly TrafficCounters _link;
    private readonly Chain _from = new();
    private readonly Chain _to = new();

    // What is left of the sender's buffer, which is given back when all of it is through.
    private SegmentCursor _rest;
    private bool _holds;

    /// <summary>Joins two queues.</summary>
    /// <param name="source">Whose readable bytes are taken.</param>
    /// <param name="target">Whose writable buffers are filled.</param>
    /// <param name="link">Counts for the link, beside the rings' own counters.</param>
    public ByteJoin(QueueEnd source, QueueEnd target, TrafficCounters link)
    {
        (_source, _target, _link) = (source, target, link);
        Ends = [source, target];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<QueueEnd> Ends { get; }

    /// <inheritdoc/>
    public override void Wake()
    {
        _source.Queue.DisableKicks();
        _target.Queue.DisableKicks();
    }

    /// <inheritdoc/>
    protected override void Publish()
    {
        _target.Publish();
        _source.Publish();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_holds)
        {
            _source.Counters.Traffic.Dropped(DropReason.PeerNotRunning);
            _link.Dropped(DropReason.PeerNotRunning);
            GiveBack();
            _source.Publish();
        }
        _from.Dispose();
        _to.Dispose();
    }

    /// <inheritdoc/>
    protected override TurnResult Step()
    {
        if (Limit is { IsSpent: true })
            return TurnResult.Limited;
        if (!_holds && TakeNext() is { } ended)
            return ended;
        if (_rest.Remaining == 0)
        {
            GiveBack();
            return TurnResult.More;
        }
        switch (_target.Queue.TryPop(_to))
        {
            case PopResult.Empty:
                return WaitFor(_target);
            case PopResult.BadRing:
                return Blame(_target);
            case PopResult.BadChain:
                return Refuse(_target.Queue.Fault);
        }
        if (_to.WritableBytes == 0)
            return Refuse(QueueFault.BufferTooSmall);
        Fill();
        return TurnResult.More;
    }

    private TurnResult? TakeNext()
    {
        switch (_source.Queue.TryPop(_from))
        {
            case PopResult.Empty:
                return WaitFor(_source);
            case PopResult.BadRing:
                return Blame(_source);
            case PopResult.BadChain:
                _source.Counters.Faulted(_source.Queue.Fault);
                _source.Counters.Traffic.Dropped(DropReason.BadChain);
                _source.Queue.AddUsed(_from.Ticket, 0);
                Spent += WorkCost.Of(_from, 0);
                return TurnResult.More;
        }
        Spent += WorkCost.Of(_from, 0);
        (_rest, _holds) = (_from.Readable, true);
        return null;
    }

    private void Fill()
    {
        var room = _to.Writable;
        ulong copied = GuestCopy.Copy(ref _rest, ref room, _rest.Remaining);
        _target.Queue.AddUsed(_to.Ticket, (uint)copied);
        _source.Counters.Traffic.Delivered(1, (long)copied);
        _target.Counters.Traffic.Delivered(1, (long)copied);
        _link.Delivered(1, (long)copied);
        Limit?.Charge((long)copied);
        Spent += WorkCost.Of(_to, (long)copied);
    }

    private TurnResult Refuse(QueueFault fault)
    {
        _target.Counters.Faulted(fault);
        _target.Queue.AddUsed(_to.Ticket, 0);
        Spent += WorkCost.Of(_to, 0);
        return TurnResult.More;
    }

    private void GiveBack()
    {
        _source.Queue.AddUsed(_from.Ticket, 0);
        _holds = false;
    }
}
