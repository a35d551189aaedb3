namespace InterGuest.Interop.Tests.Harness;

/// <summary>Where things are.</summary>
internal static class Repository
{
    /// <summary>The top of the source tree.</summary>
    public static string Root { get; } = Find();

    /// <summary>A program of ours, as users have it; after <see cref="BuildAsync"/>.</summary>
    public static string Program(string name) => Path.Combine(Root, "bin", name);

    /// <summary>Builds our programs, unless they are up to date.</summary>
    public static Task BuildAsync() => Built.Value;

    /// <summary>A script of the project.</summary>
    public static string Script(string path) => Path.Combine(Root, path);

    /// <summary>Whether a program is in the path.</summary>
    public static bool HasProgram(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(d => File.Exists(Path.Combine(d, name)));

    private static readonly Lazy<Task> Built = new(() => Command.MustAsync(Script("deploy/build.sh"), [], TimeSpan.FromMinutes(15)));

    private static string Find()
    {
        string? directory = AppContext.BaseDirectory;
        while (directory != null && !File.Exists(Path.Combine(directory, "InterGuest.sln")))
            directory = Path.GetDirectoryName(directory);
        return directory ?? throw new DirectoryNotFoundException("InterGuest.sln is nowhere above the tests");
    }
}
