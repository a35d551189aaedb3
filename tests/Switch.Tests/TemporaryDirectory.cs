namespace InterGuest.Switch.Tests;

/// <summary>A directory with a path short enough for sockets.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("igsw-");

    public string Root => _directory.FullName;

    public string At(string name) => Path.Combine(_directory.FullName, name);

    public void Dispose() => _directory.Delete(recursive: true);
}
