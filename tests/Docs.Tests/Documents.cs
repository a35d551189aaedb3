using InterGuest.Testing;

namespace InterGuest.Docs.Tests;

/// <summary>The project's documents for people.</summary>
internal static class Documents
{
    public static string Root => SourceTree.Root;

    public static string Readme { get; } = File.ReadAllText(Path.Combine(Root, "README.md"));

    /// <summary>A part of the README, from its heading to the next of its level.</summary>
    public static string Section(string heading)
    {
        string start = $"\n## {heading}\n";
        int at = Readme.IndexOf(start, StringComparison.Ordinal);
        Assert.True(at >= 0, $"README.md has no section '{heading}'");
        int end = Readme.IndexOf("\n## ", at + start.Length, StringComparison.Ordinal);
        return end < 0 ? Readme[at..] : Readme[at..end];
    }
}
