using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Fuzzers;
using InterGuest.Fuzz.Model;

namespace InterGuest.Fuzz.Tests;

/// <summary>The fuzzers find errors that are put in on purpose: what they hold is held.</summary>
public class OracleTests
{
    public static TheoryData<string, Sabotage> Planted => new()
    {
        { "chains", Sabotage.UsedLength }, { "chains", Sabotage.ExtraByte }, { "chains", Sabotage.UsedTwice },
        { "split", Sabotage.UsedLength }, { "split", Sabotage.ExtraByte }, { "split", Sabotage.UsedTwice }, { "split", Sabotage.NoKicks },
        { "blocks", Sabotage.NotDurable }, { "blocks", Sabotage.DiskMayChange },
        { "packed", Sabotage.UsedLength }, { "packed", Sabotage.ExtraByte }, { "packed", Sabotage.NoKicks },
    };

    [Theory]
    [MemberData(nameof(Planted))]
    public void APlantedErrorIsFoundAndItsInputMadeShort(string name, Sabotage sabotage)
    {
        using IFuzzer broken = name switch
        {
            "blocks" => new BlockFuzzer(sabotage),
            "chains" => new ChainFuzzer(sabotage),
            "packed" => new PackedQueueFuzzer(sabotage),
            _ => new SplitQueueFuzzer(sabotage),
        };
        var result = new Campaign(broken, 1, new CampaignLimit(20_000, TimeSpan.MaxValue)).Run([]);
        Assert.IsType<FuzzException>(result.Failure);
        // Three rings, an announcement and a request are dozens of choices each.
        Assert.True(result.Input.Length <= (name == "blocks" ? 512 : 256), $"an input of {result.Input.Length} bytes");
        Assert.NotNull(Campaign.Replay(broken, result.Input));
        using var whole = AllFuzzers.Make(name);
        Assert.Null(Campaign.Replay(whole, result.Input));
    }
}
