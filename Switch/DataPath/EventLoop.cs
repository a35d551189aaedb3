using System.Diagnostics;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// A thread that owns joins and the rings they use: sleeps until a guest kicks, then gives each join that has work a turn
/// with a budget, so that no guest starves another.
/// </summary>
/// <param name="index">Its number.</param>
/// <param name="busyPoll">How soon work must come, on average, for the loop to look for it instead of sleeping; nothing: never.</param>
public sealed class EventLoop(int index, TimeSpan busyPoll = default) : LoopThread($"loop-{index}")
{
    /// <summary>
    /// Joins that find nothing cost a look at their ring each, and their frames wait no longer than that. After so many looks
    /// comes a thorough round, in which they have whole turns, and others are heard: joins that sleep, the clock, other threads.
    /// </summary>
    private const int LooksPerThoroughRound = 512;

    /// <summary>A round in which something was done is worth so many looks: one of four is thorough.</summary>
    private const int LooksPerBusyRound = LooksPerThoroughRound / 4;

    /// <summary>
    /// While the loop is awake, joins without work are looked at for so many times <c>busyPoll</c>, divided by how many they are:
    /// for one of them to sleep saves next to nothing, and costs its guest a kick; but looks at many keep the others waiting.
    /// </summary>
    private const int InCompany = 64;

    /// <summary>How often queues without a kick are looked at, in milliseconds.</summary>
    private const int PollMilliseconds = 1;

    private readonly Dictionary<ulong, QueueEnd> _ends = [];
    private readonly List<Join> _joins = [];
    private readonly List<Join> _active = [];
    private readonly long _soon = Soon(busyPoll);
    private BusyPoll _poll = new(Soon(busyPoll));
    private int _idle;
    private int _looksLeft;
    private ulong _lastToken = WakeToken;
    private int _timed;
    private int _polled;
    private long _losses = GuestMemory.TotalLosses;

    /// <summary>Told, on this thread, of a guest that broke the rules of a ring: its joins have stopped.</summary>
    public Action<QueueEnd, QueueFault>? RingFault { get; set; }

    /// <summary>Its number.</summary>
    public int Index => index;

    /// <summary>Joins in this loop.</summary>
    public int JoinCount => _joins.Count;

    /// <summary>Takes a join over, and begins with a look at what is there: a kick may have been lost. On this thread.</summary>
    public void Add(Join join)
    {
        _joins.Add(join);
        foreach (var end in join.Ends)
            Use(end, join);
        Activate(join);
    }

    /// <summary>Gives a join up: after the return nothing of this loop touches its rings. On this thread.</summary>
    public void Remove(Join join)
    {
        _joins.Remove(join);
        Deactivate(join);
        if (join.IsTimed)
            _timed--;
        foreach (var end in join.Ends)
            Unuse(end, join);
        join.Dispose();
    }

    /// <inheritdoc/>
    protected override void Run()
    {
        var events = new PollEvent[64];
        while (!Stopping)
            Round(events);
    }

    // Apart from the endless loop, so that it is compiled again once it is known how it goes.
    private void Round(PollEvent[] events)
    {
        // Before any sleep: what the last turns touched may have been gone.
        if (GuestMemory.TotalLosses != _losses)
            FindLosses();
        _looksLeft -= _idle == _active.Count ? _idle : LooksPerBusyRound;
        bool isThorough = _active.Count == 0 || _looksLeft <= 0;
        if (isThorough)
        {
            _looksLeft = LooksPerThoroughRound;
            Look(events);
        }
        if (_timed > 0)
            WakeLate();
        _idle = 0;
        // A turn can take its own join off the list, and a fault all those of its guest.
        for (int i = _active.Count - 1; i >= 0; i--)
        {
            if (i >= _active.Count)
                continue;
            var join = _active[i];
            if (join.IsIdle && !isThorough && join.WaitsFor!.Queue.IsEmpty)
                _idle++;
            else
                TurnGuarded(join);
        }
        if (_idle > 0 && isThorough)
            PutToSleep();
    }

    private void Look(PollEvent[] events)
    {
        bool asleep = _active.Count == 0;
        int count = Poller.Wait(events, asleep ? SleepMilliseconds() : 0);
        for (int i = 0; i < count; i++)
        {
            if (events[i].Token == WakeToken)
                DoWork();
            else if (_ends.TryGetValue(events[i].Token, out var end))
                OnKick(end);
        }
        if (asleep && _active.Count > 0)
            _poll.Woken(Stopwatch.GetTimestamp());
        if (_polled > 0)
            foreach (var join in _joins.Where(j => j.Ends.Any(e => e.Kick == null)))
                Activate(join);
    }

    private int SleepMilliseconds()
    {
        int sleep = _polled > 0 ? PollMilliseconds : -1;
        if (_timed == 0)
            return sleep;
        int wait = (int)Math.Clamp(_joins.Min(j => j.Due) - Environment.TickCount64, 0, int.MaxValue);
        return sleep < 0 ? wait : Math.Min(sleep, wait);
    }

    private void OnKick(QueueEnd end)
    {
        end.Counters.Kicked();
        foreach (var join in end.Joins)
            Activate(join);
    }

    /// <summary>After a round in which some found nothing: those that have looked for long enough ask their guests for kicks.</summary>
    private void PutToSleep()
    {
        long now = Stopwatch.GetTimestamp();
        bool awake = _idle < _active.Count || _poll.GoesOn(now);
        long most = awake ? InCompany * _soon / _idle : 0;
        for (int i = _active.Count - 1; i >= 0; i--)
        {
            var join = _active[i];
            if (!join.IsIdle)
                continue;
            if (join.Idles(now) < most)
                continue;
            bool wasTimed = join.IsTimed;
            if (join.TrySleep())
                Deactivate(join);
            else
                join.Wake();
            CountTimed(join, wasTimed);
        }
    }

    private static long Soon(TimeSpan busyPoll) => (long)(busyPoll.TotalSeconds * Stopwatch.Frequency);

    /// <summary>A step that can change when a join wants to be woken is over.</summary>
    private void CountTimed(Join join, bool wasTimed) => _timed += (join.IsTimed ? 1 : 0) - (wasTimed ? 1 : 0);

    private void TurnGuarded(Join join)
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

    /// <summary>
    /// Gives a join its share: a turn's worth of work each round, and what it took beyond that one is missing the next time.
    /// </summary>
    private void Turn(Join join)
    {
        join.Credit = Math.Min(join.Credit + WorkCost.Turn, WorkCost.Turn);
        if (join.Credit <= 0)
            return;
        join.Limit?.Refill();
        bool wasTimed = join.IsTimed;
        var result = join.Turn(join.Credit, out int spent);
        join.Credit -= spent;
        if (result == TurnResult.Limited)
            join.LimitedUntil = Environment.TickCount64 + join.Limit!.Wait();
        CountTimed(join, wasTimed);
        join.IsIdle = result == TurnResult.Idle;
        if (spent > 0)
        {
            join.IdleSince = 0;
            _poll.Progressed();
        }
        switch (result)
        {
            case TurnResult.Idle:
                _idle++;
                break;
            case TurnResult.Sleep or TurnResult.Limited:
                Deactivate(join);
                break;
            case TurnResult.Fault:
                OnFault(join.Blamed!);
                break;
        }
    }

    /// <summary>A guest has cut its memory short: what we touched since were zeros, and its rings are worth nothing.</summary>
    private void FindLosses()
    {
        _losses = GuestMemory.TotalLosses;
        foreach (var end in _joins.SelectMany(j => j.Ends).Distinct().ToArray())
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

    /// <summary>Wakes the joins whose time has come.</summary>
    private void WakeLate()
    {
        long now = Environment.TickCount64;
        foreach (var join in _joins)
        {
            if (join.Due > now)
                continue;
            if (join.LimitedUntil <= now)
                join.LimitedUntil = 0;
            if (join.WakeAt != 0 && join.WakeAt <= now)
                join.TimeUp();
            CountTimed(join, wasTimed: true);
            Activate(join);
        }
    }

    /// <summary>Gives a join a turn; one that must wait for its limit has it then. On this thread.</summary>
    public void Activate(Join join)
    {
        join.IsIdle = false; // whatever it waited for: it is to have a turn before it sleeps
        if (join.Active || join.LimitedUntil != 0)
            return;
        join.Active = true;
        join.IdleSince = 0;
        _active.Add(join);
        join.Wake();
    }

    private void Deactivate(Join join)
    {
        if (!join.Active)
            return;
        join.Active = false;
        _active.Remove(join);
    }

    private void Use(QueueEnd end, Join join)
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

    private void Unuse(QueueEnd end, Join join)
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
