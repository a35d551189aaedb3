namespace InterGuest.Switch.DataPath;

/// <summary>
/// How long a loop whose joins have no work looks for more before it sleeps. Waking costs a guest a kick, and both sides a switch
/// of context: looking pays where work comes soon, and what it saved is what may be spent on looking in vain. Times are those of
/// <see cref="System.Diagnostics.Stopwatch"/>.
/// </summary>
/// <param name="worth">What finding work without sleeping is worth: work that comes later than that, on average, is slept for.</param>
internal struct BusyPoll(long worth)
{
    // The longest look, and the most that can be saved up, by that worth: pauses of a busy sender, or of the machine, are slept
    // through once they are long, but do not end looking.
    private const int Longest = 4, MostSaved = 16;

    // A loop that has nothing saved tries half that worth once in so many wakings: the machine may take longer to wake it than
    // work to come, and then no wait is short until it looks.
    private const int WakingsPerTrial = 16;

    private long _saved;
    private long _since;
    private long _seen;
    private int _wakings;

    /// <summary>Whether to look again.</summary>
    internal bool GoesOn(long now)
    {
        if (_since == 0)
            _since = now;
        _seen = now;
        return now - _since < Math.Min(_saved, Longest * worth);
    }

    /// <summary>A turn did something.</summary>
    internal void Progressed()
    {
        if (_since != 0)
            Save(worth - (_seen - _since));
        _since = 0;
    }

    /// <summary>Work came while the loop slept: had it come soon enough, looking for longer would have found it.</summary>
    internal void Woken(long now)
    {
        if (_since == 0)
            return;
        long wait = now - _since;
        Save(wait <= worth ? worth - wait : _since - _seen);
        _since = 0;
        if (_saved == 0 && ++_wakings % WakingsPerTrial == 0)
            Save(worth / 2);
    }

    private void Save(long time) => _saved = Math.Clamp(_saved + time, 0, MostSaved * worth);
}
