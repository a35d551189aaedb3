namespace InterGuest.Switch.DataPath;

/// <summary>
/// How long a join without work looks for more before it sleeps. Waking costs a guest a kick and both sides a switch of
/// context: looking pays if work comes soon, which the waits of the past tell. Times are those of
/// <see cref="System.Diagnostics.Stopwatch"/>.
/// </summary>
internal struct BusyPoll
{
    // Parts of the longest: the shortest that is tried, and what a look that found work was worth, about a kick and a waking.
    private const int Parts = 8, WorthParts = 4;

    private long _budget;
    private long _since;
    private long _found;

    /// <summary>Whether the last turn found nothing.</summary>
    internal bool IsIdle { get; set; }

    /// <summary>A turn did something.</summary>
    internal void Progressed()
    {
        if (_since != 0)
            _found++;
        _since = 0;
    }

    /// <summary>Whether to look again.</summary>
    internal bool GoesOn(long now)
    {
        if (_since == 0)
            _since = now;
        return now - _since < _budget;
    }

    /// <summary>Work came while the join slept: had it come soon enough, looking for longer would have found it.</summary>
    /// <param name="now">When.</param>
    /// <param name="most">The longest to look for.</param>
    internal void Woken(long now, long most)
    {
        long wait = now - _since;
        _since = 0;
        // A long wait says little if looking has found more since the last one than it took in vain now.
        bool paid = _found * (most / WorthParts) >= _budget;
        _found = 0;
        if (wait > most && !paid)
            _budget = _budget < most / Parts ? 0 : _budget / 2;
        else if (wait <= most && wait > _budget)
            _budget = Math.Min(most, Math.Max(_budget * 2, most / Parts));
    }
}
