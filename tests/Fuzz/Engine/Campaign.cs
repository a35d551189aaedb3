using System.Diagnostics;

namespace InterGuest.Fuzz.Engine;

/// <summary>How long a campaign goes on: by whichever limit comes first.</summary>
/// <param name="Iterations">Cases.</param>
/// <param name="Time">Or time.</param>
public readonly record struct CampaignLimit(long Iterations, TimeSpan Time);

/// <summary>What a campaign found.</summary>
/// <param name="Failure">The first failure; null if there is none.</param>
/// <param name="Input">The input that failed, made short.</param>
/// <param name="Cases">Cases that ran.</param>
/// <param name="Kept">Inputs that did something new.</param>
public sealed record CampaignResult(Exception? Failure, byte[] Input, long Cases, IReadOnlyList<byte[]> Kept);

/// <summary>
/// Runs a fuzzer on the corpus, then on changes of what did something new. A seed makes the same cases in the same order;
/// only a limit of time ends them elsewhere.
/// </summary>
public sealed class Campaign(IFuzzer fuzzer, int seed, CampaignLimit limit)
{
    /// <summary>What occurred.</summary>
    public Tally Tally { get; } = new();

    /// <summary>Runs until the limit or the first failure.</summary>
    /// <param name="corpus">To begin with.</param>
    public CampaignResult Run(IEnumerable<byte[]> corpus)
    {
        var mutator = new Mutator(new Random(seed));
        var kept = new List<byte[]>();
        var fromCorpus = new Queue<byte[]>(corpus);
        int old = 0;
        using var running = new RunningInput(fuzzer.Name);
        long started = Stopwatch.GetTimestamp();
        for (long cases = 0; ; cases++)
        {
            if (cases >= limit.Iterations || Stopwatch.GetElapsedTime(started) >= limit.Time)
                return new CampaignResult(null, [], cases, kept[old..]);
            bool isOld = fromCorpus.TryDequeue(out byte[]? input);
            input ??= mutator.Next(kept);
            running.Set(input);
            Tally.HasNews = false;
            if (Try(input, Tally) is { } failure)
                return new CampaignResult(failure, Minimizer.Minimize(input, i => Try(i, new Tally()) != null), cases + 1, kept[old..]);
            if (Tally.HasNews || isOld)
                kept.Add(input);
            if (isOld)
                old = kept.Count;
        }
    }

    /// <summary>Runs one input.</summary>
    /// <returns>What does not hold; null if all does.</returns>
    public static Exception? Replay(IFuzzer fuzzer, byte[] input) => Attempt(fuzzer, input, new Tally());

    private Exception? Try(byte[] input, Tally tally) => Attempt(fuzzer, input, tally);

    private static Exception? Attempt(IFuzzer fuzzer, byte[] input, Tally tally)
    {
        try
        {
            fuzzer.Run(new Input(input), tally);
            return null;
        }
#pragma warning disable CA1031 // whatever a case throws is a finding
        catch (Exception e)
#pragma warning restore CA1031
        {
            return e;
        }
    }
}
