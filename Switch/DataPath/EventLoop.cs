using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// A thread that owns joins and the rings they use: sleeps until a guest kicks, then gives each join that has work a turn
/// with a budget, so that no guest starves another.
/// </summary>
public sealed class EventLoop(int index) : LoopThread($"loop-{index}")
{
    /// <summary>Frames per turn: enough to spread the cost of publishing, few enough that others do not wait long.</summary>
    private const int FramesPerTurn = 64;

    /// <summary>Rounds of turns between looks for kicks of joins that sleep.</summary>
    private const int RoundsPerLook = 4;

    /// <summary>How often queues without a kick are looked at, in milliseconds.</summary>
    private const int PollMilliseconds = 1;

    private readonly Dictionary<ulong, QueueEnd> _ends = [];
    private readonly List<NetJoin> _joins = [];
    private readonly List<NetJoin> _active = [];
    private ulong _lastToken = WakeToken;
    private int _waiting;
    private int _polled;
    private long _losses = GuestMemory.TotalLosses;

    /// <summary>Told, on this thread, of a guest that broke the rules of a ring: its joins have stopped.</summary>
    public Action<QueueEnd, QueueFault>? RingFault { get; set; }

    /// <summary>Joins in this loop.</summary>
    public int JoinCount => _joins.Count;

    /// <summary>Takes a join over, and begins with a look at what is there: a kick may have been lost. On this thread.</summary>
    public void Add(NetJoin join)
    {
        _joins.Add(join);
        Use(join.Source, join);
        if (join.Target != null)
            Use(join.Target, join);
        Activate(join);
    }

    /// <summary>Gives a join up: after the return nothing of this loop touches its rings. On this thread.</summary>
    public void Remove(NetJoin join)
    {
        _joins.Remove(join);
        Deactivate(join);
        EndHold(join);
        Unuse(join.Source, join);
        if (join.Target != null)
            Unuse(join.Target, join);
        join.Dispose();
    }

    /// <inheritdoc/>
    protected override void Run()
    {
        var events = new PollEvent[64];
        for (int round = 0; !Stopping; round++)
        {
            // Before any sleep: what the last turns touched may have been gone.
            if (GuestMemory.TotalLosses != _losses)
                FindLosses();
            if (_active.Count == 0 || round % RoundsPerLook == 0)
                Look(events);
            if (_waiting > 0)
                EndHolds();
            // A turn can take its own join off the list, and a fault all those of its guest.
            for (int i = _active.Count - 1; i >= 0; i--)
                if (i < _active.Count)
                    TurnGuarded(_active[i]);
        }
    }

    private void Look(PollEvent[] events)
    {
        int count = Poller.Wait(events, _active.Count > 0 ? 0 : SleepMilliseconds());
        for (int i = 0; i < count; i++)
        {
            if (events[i].Token == WakeToken)
                DoWork();
            else if (_ends.TryGetValue(events[i].Token, out var end))
                OnKick(end);
        }
        if (_polled > 0)
            foreach (var join in _joins.Where(j => j.Source.Kick == null || j.Target is { Kick: null }))
                Activate(join);
    }

    private int SleepMilliseconds()
    {
        int sleep = _polled > 0 ? PollMilliseconds : -1;
        if (_waiting == 0)
            return sleep;
        long until = _joins.Where(j => j.HoldUntil != 0).Min(j => j.HoldUntil);
        int hold = (int)Math.Clamp(until - Environment.TickCount64, 0, int.MaxValue);
        return sleep < 0 ? hold : Math.Min(sleep, hold);
    }

    private void OnKick(QueueEnd end)
    {
        end.Counters.Kicked();
        foreach (var join in end.Joins)
            Activate(join);
    }

    private void TurnGuarded(NetJoin join)
    {
        try
        {
            Turn(join);
        }
#pragma warning disable CA1031 // a fault of ours in one join must not end the thread that serves all of them
        catch (Exception e)
#pragma warning restore CA1031
        {
            Deactivate(join);
            Failed?.Invoke(e);
        }
    }

    private void Turn(NetJoin join)
    {
        var result = join.Transfer(FramesPerTurn);
        if (join.Progressed)
            EndHold(join);
        switch (result)
        {
            case TransferResult.SourceEmpty when !join.Source.Queue.EnableKicks():
                Deactivate(join);
                break;
            case TransferResult.TargetEmpty when !join.Target!.Queue.EnableKicks():
                Deactivate(join);
                BeginHold(join);
                break;
            case TransferResult.SourceFault:
                OnFault(join.Source);
                break;
            case TransferResult.TargetFault:
                OnFault(join.Target!);
                break;
        }
    }

    /// <summary>A guest has cut its memory short: what we touched since were zeros, and its rings are worth nothing.</summary>
    private void FindLosses()
    {
        _losses = GuestMemory.TotalLosses;
        foreach (var end in _joins.SelectMany(j => new[] { j.Source, j.Target }).OfType<QueueEnd>().Distinct().ToArray())
            if (end.Queue.IsMemoryLost)
                OnFault(end);
    }

    private void OnFault(QueueEnd end)
    {
        // Zeros in the place of lost memory look like many other faults.
        var fault = end.Queue.IsMemoryLost ? QueueFault.MemoryLost : end.Queue.Fault;
        end.Counters.Faulted(fault);
        foreach (var join in end.Joins)
            Deactivate(join);
        // No more kicks of this ring: they would only bring us back here.
        Unwatch(end);
        RingFault?.Invoke(end, fault);
    }

    private void BeginHold(NetJoin join)
    {
        if (join.HoldUntil != 0)
            return;
        join.HoldUntil = Math.Max(1, Environment.TickCount64 + (long)join.Hold.TotalMilliseconds);
        _waiting++;
    }

    private void EndHold(NetJoin join)
    {
        if (join.HoldUntil == 0)
            return;
        join.HoldUntil = 0;
        _waiting--;
        DisableTargetKicks(join);
    }

    /// <summary>No kicks for buffers, unless another join waits for some from the same receiver.</summary>
    private static void DisableTargetKicks(NetJoin join)
    {
        if (join.Target is { } target && !target.Joins.Exists(j => j.HoldUntil != 0))
            target.Queue.DisableKicks();
    }

    private void EndHolds()
    {
        long now = Environment.TickCount64;
        foreach (var join in _joins)
        {
            if (join.HoldUntil == 0 || join.HoldUntil > now)
                continue;
            EndHold(join);
            join.Dropping = true;
            Activate(join);
        }
    }

    private void Activate(NetJoin join)
    {
        if (join.Active)
            return;
        join.Active = true;
        _active.Add(join);
        join.Source.Queue.DisableKicks();
        DisableTargetKicks(join);
    }

    private void Deactivate(NetJoin join)
    {
        if (!join.Active)
            return;
        join.Active = false;
        _active.Remove(join);
    }

    private void Use(QueueEnd end, NetJoin join)
    {
        end.Joins.Add(join);
        if (end.Joins.Count > 1)
            return;
        if (end.Kick == null)
        {
            _polled++;
            return;
        }
        end.Token = ++_lastToken;
        _ends.Add(end.Token, end);
        Poller.Add(end.Kick.Descriptor, PollInterest.Readable | PollInterest.Edge, end.Token);
    }

    private void Unuse(QueueEnd end, NetJoin join)
    {
        end.Joins.Remove(join);
        if (end.Joins.Count > 0)
            return;
        if (end.Kick == null)
            _polled--;
        else
            Unwatch(end);
    }

    private void Unwatch(QueueEnd end)
    {
        if (end.Token == 0 || !_ends.Remove(end.Token))
            return;
        Poller.Remove(end.Kick!.Descriptor);
        end.Token = 0;
    }
}
