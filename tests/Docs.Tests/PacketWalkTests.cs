using System.Reflection;
using System.Text.RegularExpressions;

namespace InterGuest.Docs.Tests;

/// <summary>The README's walk names types and methods that there are.</summary>
public sealed partial class PacketWalkTests
{
    private static readonly Type[] Types =
        [.. new[] { typeof(Switch.SwitchException).Assembly, typeof(Virtio.Queues.SplitQueue).Assembly }.SelectMany(a => a.GetTypes())];

    [Fact]
    public void Every_type_and_method_of_the_walk_exists()
    {
        string[] names = [.. CodeNames().Matches(Documents.Section("Where a packet goes")).Select(m => m.Groups[1].Value).Distinct()];
        Assert.True(names.Length >= 20, "the walk names fewer things than it should");
        Assert.Equal([], names.Where(name => !Exists(name)).ToArray());
    }

    [Fact]
    public void Every_link_of_the_readme_leads_somewhere()
    {
        var targets = Links().Matches(Documents.Readme).Select(m => m.Groups[1].Value).Where(t => !t.Contains(':', StringComparison.Ordinal));
        Assert.NotEmpty(targets);
        Assert.Equal([], targets.Where(t => !Path.Exists(Path.Combine(Documents.Root, t))).ToArray());
    }

    private static bool Exists(string name)
    {
        string[] parts = name.Split('.');
        const BindingFlags Any = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        return Types.Any(t => t.Name == parts[0] && (parts.Length == 1 || t.GetMembers(Any).Any(m => m.Name == parts[1])));
    }

    [GeneratedRegex(@"`([A-Z]\w+(?:\.[A-Z]\w+)?)`")]
    private static partial Regex CodeNames();

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Links();
}
