using System.CommandLine;
using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Fuzzers;

namespace InterGuest.Fuzz;

/// <summary>The command line: runs fuzzers, or one input again. Exit status 1 if something was found.</summary>
internal static class Program
{
    private static readonly Option<string[]> FuzzerNames = new("--fuzzer") { Description = $"Which: {string.Join(", ", AllFuzzers.Names)}; all if none is named" };
    private static readonly Option<int> Seed = new("--seed") { Description = "The same seed makes the same cases", DefaultValueFactory = _ => 1 };
    private static readonly Option<long> Iterations = new("--iterations") { Description = "Cases per fuzzer", DefaultValueFactory = _ => long.MaxValue };
    private static readonly Option<double> Minutes = new("--minutes") { Description = "Time per fuzzer", DefaultValueFactory = _ => 1 };
    private static readonly Option<FileInfo?> ReplayFile = new("--replay") { Description = "Runs one input; the folder it is in names its fuzzer" };
    private static readonly Option<bool> Keep = new("--keep") { Description = "Adds inputs that did something new to the corpus" };

    private static int Main(string[] args)
    {
        var command = new RootCommand("Fuzzers of InterGuest's queues, joins and messages.") { FuzzerNames, Seed, Iterations, Minutes, ReplayFile, Keep };
        command.SetAction(Run);
        return command.Parse(args).Invoke();
    }

    private static int Run(ParseResult arguments)
    {
        if (arguments.GetValue(ReplayFile) is { } file)
            return Replay(file.FullName);
        string[] names = arguments.GetValue(FuzzerNames) is { Length: > 0 } chosen ? chosen : [.. AllFuzzers.Names];
        // Minutes alone limit, unless iterations are asked for: then those do.
        long iterations = arguments.GetValue(Iterations);
        var limit = new CampaignLimit(iterations, iterations == long.MaxValue ? TimeSpan.FromMinutes(arguments.GetValue(Minutes)) : TimeSpan.MaxValue);
        int found = names.Count(name => !RunOne(name, arguments.GetValue(Seed), limit, arguments.GetValue(Keep)));
        return found == 0 ? 0 : 1;
    }

    private static int Replay(string file)
    {
        using var fuzzer = AllFuzzers.Make(Corpus.FuzzerOf(file));
        var failure = Campaign.Replay(fuzzer, File.ReadAllBytes(file));
        Console.WriteLine(failure == null ? $"{fuzzer.Name}: holds" : $"{fuzzer.Name}: {failure}");
        return failure == null ? 0 : 1;
    }

    private static bool RunOne(string name, int seed, CampaignLimit limit, bool keep)
    {
        using var fuzzer = AllFuzzers.Make(name);
        var campaign = new Campaign(fuzzer, seed, limit);
        var result = campaign.Run(Corpus.Of(name));
        Console.WriteLine($"{name}: {result.Cases} cases, {result.Kept.Count} inputs did something new");
        foreach (var (what, times) in campaign.Tally.Counts)
            Console.WriteLine($"  {times,12} {what}");
        if (keep)
            Corpus.Extend(fuzzer, result.Kept);
        if (result.Failure == null)
            return true;
        Console.WriteLine($"{name}: {result.Failure}");
        Console.WriteLine($"{name}: run it again with --replay {Corpus.Write(Corpus.Findings, name, result.Input)}");
        return false;
    }
}
