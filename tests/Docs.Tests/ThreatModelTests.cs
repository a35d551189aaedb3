using System.Text.RegularExpressions;

namespace InterGuest.Docs.Tests;

/// <summary>docs/threat-model.md names tests that there are.</summary>
public sealed partial class ThreatModelTests
{
    private static readonly string Document = File.ReadAllText(Path.Combine(Documents.Root, "docs", "threat-model.md"));

    [Fact]
    public void Every_test_of_the_threat_model_exists()
    {
        string[] names = [.. TestNames().Matches(Document).Select(m => m.Groups[1].Value).Distinct()];
        Assert.True(names.Length >= 50, "the threat model names fewer tests than it should");
        var sources = Directory.EnumerateFiles(Path.Combine(Documents.Root, "tests"), "*Tests.cs", SearchOption.AllDirectories)
            .GroupBy(f => Path.GetFileNameWithoutExtension(f)).ToDictionary(g => g.Key, g => string.Concat(g.Select(File.ReadAllText)));
        Assert.Equal([], names.Where(n => !Has(sources, n.Split('.'))).ToArray());
    }

    [Fact]
    public void Every_attack_of_the_threat_model_has_a_test()
    {
        var rows = Document.Split('\n').SkipWhile(l => !l.StartsWith("## Rings", StringComparison.Ordinal))
            .Where(l => l.StartsWith('|') && !l.StartsWith("|---", StringComparison.Ordinal) && !l.StartsWith("| attack", StringComparison.Ordinal));
        Assert.NotEmpty(rows);
        Assert.Equal([], rows.Where(r => !TestNames().IsMatch(r)).ToArray());
    }

    /// <summary>A method with a test's attribute somewhere above it.</summary>
    private static bool Has(Dictionary<string, string> sources, string[] name) =>
        sources.TryGetValue(name[0], out string? source)
        && Regex.IsMatch(source, $@"\[\w*(Fact|Theory)\b((?!public ).)*public (async )?(void|Task) {Regex.Escape(name[1])}\(", RegexOptions.Singleline);

    [GeneratedRegex(@"`(\w+Tests\.\w+)`")]
    private static partial Regex TestNames();
}
