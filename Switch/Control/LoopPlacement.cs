using InterGuest.Switch.DataPath;

namespace InterGuest.Switch.Control;

/// <summary>
/// Which loop something new gets: the one whose thread had the least to do since somebody asked last; of those that are alike,
/// the one with the fewest linked ports. On the control thread.
/// </summary>
/// <param name="loops">All.</param>
/// <param name="time">The clock.</param>
internal sealed class LoopPlacement(IReadOnlyList<EventLoop> loops, TimeProvider time)
{
    /// <summary>Shares of a CPU that differ by less are alike.</summary>
    private const double Alike = 0.05;

    /// <summary>In less time nothing can be said about how busy a thread is.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);

    private readonly TimeSpan[] _used = new TimeSpan[loops.Count];
    private readonly double[] _shares = new double[loops.Count];
    private long _lookedAt = time.GetTimestamp();
    private int _next;

    /// <summary>A loop for something new.</summary>
    /// <param name="linked">Linked ports that a loop has.</param>
    public EventLoop Next(Func<EventLoop, int> linked)
    {
        Look();
        // What is alike in all: each in turn.
        var best = loops.MinBy(l => ((int)(_shares[l.Index] / Alike), linked(l), (l.Index - _next + loops.Count) % loops.Count))!;
        _next = best.Index + 1;
        return best;
    }

    private void Look()
    {
        var passed = time.GetElapsedTime(_lookedAt);
        if (passed < Shortest)
            return;
        _lookedAt = time.GetTimestamp();
        for (int i = 0; i < loops.Count; i++)
        {
            var used = loops[i].CpuTime;
            _shares[i] = (used - _used[i]) / passed;
            _used[i] = used;
        }
    }
}
