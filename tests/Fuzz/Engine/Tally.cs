namespace InterGuest.Fuzz.Engine;

/// <summary>
/// What occurred in cases: how often, for the report; and whether it was ever seen before, which makes an input worth keeping.
/// </summary>
public sealed class Tally
{
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly HashSet<int> _seen = [];

    /// <summary>How often each thing occurred.</summary>
    public IReadOnlyDictionary<string, long> Counts => _counts;

    /// <summary>Whether something new was seen since this was set to false.</summary>
    public bool HasNews { get; set; }

    /// <summary>Counts something.</summary>
    public void Count(string what, long times = 1) => _counts[what] = _counts.GetValueOrDefault(what) + times;

    /// <summary>Notes a situation, by what makes it different from others.</summary>
    public void Saw(string what, int first = 0, int second = 0, int third = 0)
    {
        // Not HashCode: its seed is another in each process.
        int hash = 17;
        foreach (char c in what)
            hash = hash * 31 + c;
        HasNews |= _seen.Add(((hash * 31 + first) * 31 + second) * 31 + third);
    }

    /// <summary>A number's size class, for <see cref="Saw"/>.</summary>
    public static int Class(ulong number) => 64 - System.Numerics.BitOperations.LeadingZeroCount(number);
}
