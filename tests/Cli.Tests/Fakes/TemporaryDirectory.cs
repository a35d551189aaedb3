namespace InterGuest.Cli.Tests.Fakes;

internal sealed class TemporaryDirectory : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("igcli-");

    public string Root => _directory.FullName;

    public string Path(string name) => System.IO.Path.Combine(_directory.FullName, name);

    /// <summary>A shell script that can be run.</summary>
    public string Script(string name, string text)
    {
        string path = Path(name);
        File.WriteAllText(path, $"#!/bin/sh\n{text}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    public void Dispose() => _directory.Delete(recursive: true);
}
