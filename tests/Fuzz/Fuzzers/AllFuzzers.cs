using InterGuest.Fuzz.Engine;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>Every fuzzer there is.</summary>
public static class AllFuzzers
{
    private static readonly IReadOnlyDictionary<string, Func<IFuzzer>> Makers = new SortedDictionary<string, Func<IFuzzer>>(StringComparer.Ordinal)
    {
        [BlockFuzzer.FuzzerName] = () => new BlockFuzzer(),
        [MessageFuzzer.FuzzerName] = () => new MessageFuzzer(),
        [NetJoinFuzzer.FuzzerName] = () => new NetJoinFuzzer(),
        [ChainFuzzer.FuzzerName] = () => new ChainFuzzer(),
        [PackedQueueFuzzer.FuzzerName] = () => new PackedQueueFuzzer(),
        [SplitQueueFuzzer.FuzzerName] = () => new SplitQueueFuzzer(),
    };

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Makers.Keys];

    /// <summary>Makes the one of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static IFuzzer Make(string name) =>
        Makers.TryGetValue(name, out var make) ? make() : throw new ArgumentException($"There is no fuzzer '{name}': use one of {string.Join(", ", Names)}.", nameof(name));
}
