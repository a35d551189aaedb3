using System.Globalization;
using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Fuzzers;

namespace InterGuest.Fuzz.Tests;

/// <summary>
/// Each fuzzer, for as many seconds as FUZZ_SECONDS says: tests/run.sh says 60. What fails is in artifacts/fuzz, to be run
/// again with the fuzzer's --replay, and belongs in tests/Fuzz/corpus/regressions once it is understood.
/// </summary>
public class CampaignTests
{
    public static TheoryData<string> Fuzzers => [.. AllFuzzers.Names];

    private static int Seconds => Number("FUZZ_SECONDS", 3);

    private static int Seed => Number("FUZZ_SEED", 1);

    [Theory]
    [MemberData(nameof(Fuzzers))]
    public void NothingIsFound(string name)
    {
        using var fuzzer = AllFuzzers.Make(name);
        var campaign = new Campaign(fuzzer, Seed, new CampaignLimit(long.MaxValue, TimeSpan.FromSeconds(Seconds)));
        var result = campaign.Run(Corpus.Of(name));
        if (result.Failure != null)
            Assert.Fail($"seed {Seed}, input {Corpus.Write(Corpus.Findings, name, result.Input)}: {result.Failure}");
        Assert.True(result.Cases > 10, $"only {result.Cases} cases ran");
    }

    /// <summary>An input that failed once does not fail again.</summary>
    [Theory]
    [MemberData(nameof(Regressions))]
    public void WhatWasFoundOnceStaysFixed(string name, string file)
    {
        using var fuzzer = AllFuzzers.Make(name);
        Assert.Null(Campaign.Replay(fuzzer, File.ReadAllBytes(Path.Combine(Corpus.Folder, "regressions", name, file))));
    }

    public static TheoryData<string, string> Regressions()
    {
        var data = new TheoryData<string, string>();
        foreach (string name in AllFuzzers.Names)
            foreach (string file in Corpus.Regressions(name))
                data.Add(name, Path.GetFileName(file));
        return data;
    }

    /// <summary>What one notes ends neither the process nor the other's note.</summary>
    [Fact]
    public void TwoCampaignsOfOneFuzzerMayRun()
    {
        using var first = new RunningInput("split");
        using var second = new RunningInput("split");
        first.Set([1, 2, 3]);
        second.Set([4, 5]);
    }

    /// <summary>The same seed makes the same cases.</summary>
    [Theory]
    [InlineData("blocks")]
    [InlineData("chains")]
    [InlineData("packed")]
    [InlineData("split")]
    [InlineData("net")]
    public void ASeedMakesTheSameCases(string name)
    {
        var counts = Enumerable.Range(0, 2).Select(_ =>
        {
            using var fuzzer = AllFuzzers.Make(name);
            var campaign = new Campaign(fuzzer, 7, new CampaignLimit(300, TimeSpan.MaxValue));
            Assert.Equal(300, campaign.Run([]).Cases);
            return campaign.Tally.Counts.ToArray();
        }).ToArray();
        Assert.NotEmpty(counts[0]);
        Assert.Equal(counts[0], counts[1]);
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : otherwise;
}
