using InterGuest.Virtio.Devices;

namespace InterGuest.Docs.Tests;

/// <summary>docs/features.md shows the table that the code goes by.</summary>
public class FeatureTableTests
{
    [Theory]
    [InlineData("net")]
    [InlineData("block")]
    public void The_document_has_the_table_of_the_code(string device)
    {
        string document = File.ReadAllText(Path.Combine(Documents.Root, "docs/features.md"));
        string table = Markdown(FeatureTable.For(device)!);
        Assert.True(document.Contains(table, StringComparison.Ordinal), $"docs/features.md must have this table:\n{table}");
    }

    private static string Markdown(FeatureTable table) => string.Concat(
        table.Rules.Select(r => $"| {r.Bit} | `{r.Name}` | {There(table, r)} | {Names(table, r.Requires, " or ")} | {r.Meaning} |\n")
            .Prepend("| bit | accepted here | at the other end | requires here | what it is about |\n|---|---|---|---|---|\n"));

    private static string There(FeatureTable table, FeatureRule rule) => rule.Fit switch
    {
        FeatureFit.Needs => $"needs {Names(table, rule.Counterpart, " and ")}",
        FeatureFit.Serves => $"serves {Names(table, rule.Counterpart, " and ")}",
        FeatureFit.Binds => $"bound by {Names(table, rule.Counterpart, " and ")}",
        _ => "nothing",
    };

    private static string Names(FeatureTable table, ulong features, string between) => string.Join(between, table.Names(features).Select(n => $"`{n}`"));
}
