namespace InterGuest.Testing;

/// <summary>The project's own files, for tests of documents and of scripts.</summary>
public static class SourceTree
{
    /// <summary>The top of the source tree that the tests were built from.</summary>
    public static string Root { get; } = Find();

    /// <summary>A file or folder of it.</summary>
    public static string At(string path) => Path.Combine(Root, path);

    private static string Find()
    {
        string? directory = AppContext.BaseDirectory;
        while (directory != null && !File.Exists(Path.Combine(directory, "InterGuest.sln")))
            directory = Path.GetDirectoryName(directory);
        return directory ?? throw new DirectoryNotFoundException("InterGuest.sln is nowhere above the tests");
    }
}
