using InterGuest.Switch.DataPath.Capture;
using InterGuest.Switch.DataPath.Offload;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>How a turn of a join ended, and whom it waits for or is to blame.</summary>
public enum TransferResult
{
    /// <summary>The turn is over, and there may be more to do.</summary>
    More,

    /// <summary>The sender has sent nothing more.</summary>
    SourceEmpty,

    /// <summary>The sender may send nothing more for now.</summary>
    Limited,

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
public sealed class NetJoin : Join
{
    /// <summary>Frames between two publications: enough to spread their cost, few enough that nobody waits long.</summary>
    private const int Burst = 32;

    /// <summary>Work between them, of which copying is the most: the receiver is to begin with the first frame while the last is copied.</summary>
    private const int BurstWork = WorkCost.Turn / 2;

    /// <summary>Frames that a sender may see late, if its ring has the room: as many as DPDK's driver wants free at least.</summary>
    private const int LateFrames = 32;

    private readonly Chain _frame = new();
    private readonly FrameSink? _sink;
    private readonly FramePump? _pump;
    private readonly DropReason _dropReason;
    private readonly TrafficCounters? _link;
    private readonly FrameCheck? _check;
    private readonly Translation? _translation;
    private int _spent;
    private bool _progressed;

    // The wait for buffers is over: drop until the receiver has some again.
    private bool _dropping;

    /// <summary>Joins two queues.</summary>
    /// <param name="source">A transmit queue.</param>
    /// <param name="target">A receive queue of the other guest.</param>
    /// <param name="hold">How long a frame waits for buffers before it is dropped.</param>
    /// <param name="link">Counts for the link, beside the ports' own counters.</param>
    public NetJoin(QueueEnd source, QueueEnd target, TimeSpan hold, TrafficCounters link)
    {
        (Source, Target, Hold, _link) = (source, target, hold, link);
        Ends = [source, target];
        _sink = new FrameSink(target);
        _check = new FrameCheck(source, target);
        _translation = new Translation(target, link.Translation);
        // Pages written are noted on the long way alone.
        if (target.Queue.Log == null)
            _pump = new FramePump(
                source.Queue, source.HeaderBytes, target.Queue, target.HeaderBytes, target.Mergeable, _check.Untranslated, _check.MaxUntagged);
    }

    /// <summary>Drops what a queue sends.</summary>
    public NetJoin(QueueEnd source, DropReason reason, TrafficCounters? link)
    {
        (Source, _dropReason, _link) = (source, reason, link);
        Ends = [source];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<QueueEnd> Ends { get; }

    /// <summary>The sender.</summary>
    public QueueEnd Source { get; }

    /// <summary>The receiver, if there is one.</summary>
    public QueueEnd? Target { get; }

    /// <summary>How long a frame waits for buffers.</summary>
    public TimeSpan Hold { get; }

    /// <summary>How many frames a sender that does not ask to be called may see used late, after those that were moved last.</summary>
    internal int Late { get; private set; }

    /// <summary>In its loop: shows frames to those who capture; null: nobody does.</summary>
    internal CaptureTap? Tap { get; set; }

    /// <inheritdoc/>
    public override TurnResult Turn(int budget, out int spent)
    {
        _spent = 0;
        _progressed = false;
        TransferResult result;
        do
        {
            result = Transfer(Burst, Math.Min(budget, _spent + BurstWork));
        }
        while (result == TransferResult.More && _spent < budget);
        spent = _spent;
        if (_progressed)
            EndHold();
        switch (result)
        {
            case TransferResult.SourceEmpty:
                return WaitFor(Source);
            case TransferResult.TargetEmpty:
                return WaitFor(Target!);
            case TransferResult.More:
                return TurnResult.More;
            case TransferResult.Limited:
                return TurnResult.Limited;
            default:
                return Blame(result == TransferResult.SourceFault ? Source : Target!);
        }
    }

    /// <inheritdoc/>
    public override void Wake()
    {
        Source.Queue.DisableKicks();
        DisableTargetKicks();
    }

    /// <inheritdoc/>
    public override bool TrySleep()
    {
        Source.Publish(); // what is late: there may be no more for long
        if (!base.TrySleep())
            return false;
        if (WaitsFor != Source)
            BeginHold();
        return true;
    }

    /// <inheritdoc/>
    public override void TimeUp()
    {
        EndHold();
        _dropping = true;
    }

    /// <summary>Moves up to <paramref name="frames"/> frames, then shows both guests what was done.</summary>
    /// <param name="frames">At most so many.</param>
    /// <param name="budget">And no more once so much was spent in this turn.</param>
    public TransferResult Transfer(int frames, int budget = int.MaxValue)
    {
        var result = TransferResult.More;
        int before = _spent;
        while (frames > 0 && result == TransferResult.More && _spent < budget)
        {
            result = Pump(ref frames) ?? TransferOne(ref frames);
        }
        if (_spent > before)
            Source.Counters.Taken();
        // The receiver first: a sender must not learn that a frame is through before the receiver can have it.
        Target?.Publish();
        Source.Publish(result is TransferResult.More or TransferResult.SourceEmpty ? Late : 0);
        _pump?.ClaimNext();
        return result;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        // What was delivered of a frame must not come again: it ends here, for want of buffers for the rest.
        if (_translation is { IsPending: true })
            Drop(DropReason.NoBuffers);
        Source.Publish();
        _frame.Dispose();
        _sink?.Dispose();
    }

    private void BeginHold()
    {
        if (WakeAt == 0)
            WakeAt = Math.Max(1, Environment.TickCount64 + (long)Hold.TotalMilliseconds);
    }

    private void EndHold()
    {
        if (WakeAt == 0)
            return;
        WakeAt = 0;
        DisableTargetKicks();
    }

    /// <summary>No kicks for buffers, unless another join waits for some from the same receiver.</summary>
    private void DisableTargetKicks()
    {
        if (Target is { } target && !target.Joins.Exists(static j => j.WakeAt != 0))
            target.Queue.DisableKicks();
    }

    /// <summary>Moves the frames that come next by the short way.</summary>
    /// <returns>Null: the next frame is not for it, or there is none.</returns>
    private TransferResult? Pump(ref int frames)
    {
        // What is captured goes the long way, frame by frame; and nothing overtakes a frame that is half delivered.
        if (_pump == null || Tap != null || _translation is { IsPending: true })
            return null;
        var most = WorkCost.Most(frames, BurstWork, Limit?.Left ?? long.MaxValue);
        var moved = _pump.Move(most);
        if (moved.Frames == 0)
            return null;
        Delivered(moved.Frames, moved.Bytes, WorkCost.Of(moved));
        Late = MostLate(moved);
        frames -= moved.Frames;
        if (_pump.MovedAll)
            return TransferResult.SourceEmpty;
        return moved.Reaches(most) ? TransferResult.More : null;
    }

    /// <summary>
    /// How many frames a sender may see late: what takes up about a quarter of its ring, up to half where the receiver needs fewer
    /// descriptors. DPDK's driver frees sent frames when it needs room, as many as it needs of those it sees used; but all of them
    /// where all but 32 entries of a split ring are used, or where a frame needs many. A thousand at once are more than its pool
    /// keeps at hand, and it goes through all of its memory from then on.
    /// </summary>
    private int MostLate(in FrameTally moved)
    {
        bool oneByOne = (Source.Features & Features.RingPacked) != 0 && Source.Queue.TakesOneEntryEach;
        return oneByOne ? 0 : Math.Min(LateFrames, moved.Frames * (Source.Queue.Size / 2) / moved.Descriptors);
    }

    /// <summary>Moves a frame, or one segment of a frame that is translated.</summary>
    private TransferResult TransferOne(ref int frames)
    {
        frames--;
        if (_translation is { IsPending: true })
            return PutSegment(_translation, default);
        if (Limit is { IsSpent: true })
            return TransferResult.Limited;
        var before = Source.Queue.Position;
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
        if (_check!.Check(ref frame, out NetHeader header) is { } reason)
            return Drop(reason);
        if (_check.NeedsTranslation(header))
            return _translation!.Begin(header, frame) is { } refusal ? Drop(refusal) : PutSegment(_translation, before);
        var result = _sink.Put(header, new FrameSource(frame));
        if (result != PutResult.Delivered)
            return NotDelivered(result, before);
        Tap?.Show(frame, null);
        return Deliver((long)frame.Remaining);
    }

    private TransferResult PutSegment(Translation translation, QueuePosition before)
    {
        var result = _sink!.Put(translation.Header, translation.Segment);
        if (result != PutResult.Delivered)
            return NotDelivered(result, before);
        Target!.Counters.Traffic.Delivered(1, translation.SegmentBytes);
        _spent += WorkCost.OfSegment(translation.SegmentBytes) + TakeSinkWork();
        (_progressed, _dropping) = (true, false);
        if (translation.Delivered())
            return TransferResult.More;
        if (Tap != null)
            Show(null); // as it was sent, not as it came
        _spent += Finish(0);
        Source.Counters.Traffic.Delivered(1, translation.FrameBytes);
        _link?.Delivered(1, translation.FrameBytes);
        Limit?.Charge(translation.FrameBytes);
        return TransferResult.More;
    }

    private TransferResult NotDelivered(PutResult result, QueuePosition before)
    {
        switch (result)
        {
            case PutResult.TooLong:
                return Drop(DropReason.TooLongForReceiver);
            case PutResult.NoBuffers when _dropping || Hold == TimeSpan.Zero:
                return Drop(DropReason.NoBuffers);
        }
        if (_translation is not { IsPending: true })
            Source.Queue.Rewind(before);
        return result == PutResult.NoBuffers ? TransferResult.TargetEmpty : TransferResult.TargetFault;
    }

    private TransferResult Deliver(long bytes)
    {
        Delivered(1, bytes, Finish(bytes));
        return TransferResult.More;
    }

    private void Delivered(int frames, long bytes, int work)
    {
        Source.Counters.Traffic.Delivered(frames, bytes);
        Target!.Counters.Traffic.Delivered(frames, bytes);
        _link?.Delivered(frames, bytes);
        Limit?.Charge(bytes);
        _spent += work;
        _progressed = true;
        _dropping = false;
    }

    private TransferResult Drop(DropReason reason)
    {
        if (Tap != null && reason != DropReason.BadChain)
            Show(reason);
        _spent += Finish(0);
        _progressed = true;
        Source.Counters.Traffic.Dropped(reason);
        _link?.Dropped(reason);
        return TransferResult.More;
    }

    /// <summary>Gives the frame back to its sender. Returns what it cost.</summary>
    private int Finish(long bytes)
    {
        _translation?.End();
        Late = 0;
        Source.Queue.AddUsed(_frame.Ticket, 0);
        CountOddities(_frame, Source.Counters);
        return WorkCost.Of(_frame, bytes) + TakeSinkWork();
    }

    private int TakeSinkWork()
    {
        if (_sink == null)
            return 0;
        int work = _sink.Work;
        _sink.Work = 0;
        return work;
    }

    private void Show(DropReason? reason)
    {
        var frame = _frame.Readable;
        frame.Advance((ulong)Source.HeaderBytes);
        Tap!.Show(frame, reason);
    }
}
