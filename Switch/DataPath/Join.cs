using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>How a turn of a join ended.</summary>
public enum TurnResult
{
    /// <summary>There may be more to do.</summary>
    More,

    /// <summary>Nothing to do until the guest of <see cref="Join.WaitsFor"/> adds to that ring: see <see cref="Join.TrySleep"/>.</summary>
    Idle,

    /// <summary>Nothing to do until somebody activates the join.</summary>
    Sleep,

    /// <summary>Nothing may be done until <see cref="Join.Limit"/> lets it.</summary>
    Limited,

    /// <summary>The guest of <see cref="Join.Blamed"/> broke the rules of its ring.</summary>
    Fault,
}

/// <summary>Moves bytes between virtqueues of guests. In an <see cref="EventLoop"/>, whose thread alone calls it.</summary>
public abstract class Join : IDisposable
{
    /// <summary>The rings it uses.</summary>
    public abstract IReadOnlyList<QueueEnd> Ends { get; }

    /// <summary>Whose ring is broken, after <see cref="TurnResult.Fault"/>.</summary>
    public QueueEnd? Blamed { get; private set; }

    /// <summary>The ring it waits for, after <see cref="TurnResult.Idle"/>. Nobody was asked to kick yet.</summary>
    public QueueEnd? WaitsFor { get; private set; }

    /// <summary>When it wants to be woken without a kick, by <see cref="Environment.TickCount64"/>; 0: never.</summary>
    public long WakeAt { get; protected internal set; }

    /// <summary>How much the guest may move that it takes from; null: as much as it likes.</summary>
    public RateLimit? Limit { get; init; }

    /// <summary>In its loop: when <see cref="Limit"/> lets it go on, by <see cref="Environment.TickCount64"/>; 0: it may.</summary>
    internal long LimitedUntil { get; set; }

    /// <summary>In its loop: whether it is to be looked after without a kick.</summary>
    internal bool IsTimed => (WakeAt | LimitedUntil) != 0;

    /// <summary>In its loop: when that is, by <see cref="Environment.TickCount64"/>; the end of time: never.</summary>
    internal long Due => Math.Min(WakeAt == 0 ? long.MaxValue : WakeAt, LimitedUntil == 0 ? long.MaxValue : LimitedUntil);

    /// <summary>In its loop: has it a turn to come.</summary>
    internal bool Active { get; set; }

    /// <summary>In its loop: the work it may still do before others have had theirs.</summary>
    internal int Credit { get; set; }

    /// <summary>In its loop: whether its last turn found nothing.</summary>
    internal bool IsIdle { get; set; }

    /// <summary>In its loop: since when it was seen to find nothing, by <see cref="System.Diagnostics.Stopwatch"/>; 0: it was not.</summary>
    internal long IdleSince { get; set; }

    /// <summary>For how long it has found nothing, by the same clock: it begins with the first call.</summary>
    internal long Idles(long now)
    {
        if (IdleSince == 0)
            IdleSince = now;
        return now - IdleSince;
    }

    /// <summary>Does work and shows the guests what was done.</summary>
    /// <param name="budget">How much, in units of <see cref="WorkCost"/>; the last step may go beyond it.</param>
    /// <param name="spent">How much it was.</param>
    public abstract TurnResult Turn(int budget, out int spent);

    /// <summary>Turns begin: kicks are not needed while there are.</summary>
    public abstract void Wake();

    /// <summary>Ends looking: asks for the kick of whom it waits for.</summary>
    /// <returns>False: there is something already, and a turn is due.</returns>
    public virtual bool TrySleep() => !WaitsFor!.Queue.EnableKicks();

    /// <summary><see cref="WakeAt"/> has come.</summary>
    public virtual void TimeUp() => WakeAt = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what it has; the rings are not its own.</summary>
    protected abstract void Dispose(bool disposing);

    /// <summary>Ends the turn: there is nothing in this ring.</summary>
    protected TurnResult WaitFor(QueueEnd end)
    {
        WaitsFor = end;
        return TurnResult.Idle;
    }

    /// <summary>Ends the turn: the ring of this end is broken.</summary>
    protected TurnResult Blame(QueueEnd end)
    {
        Blamed = end;
        return TurnResult.Fault;
    }

    /// <summary>Counts what is odd about a chain, and no fault.</summary>
    internal static void CountOddities(Chain chain, QueueCounters counters)
    {
        if (chain.EmptyDescriptors > 0)
            counters.Faulted(QueueFault.EmptyDescriptor, chain.EmptyDescriptors);
    }
}
