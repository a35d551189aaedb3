using System.IO.MemoryMappedFiles;

namespace InterGuest.Fuzz.Engine;

/// <summary>
/// The input that runs now, in a file: a case that takes the process with it leaves it behind. Gone when all went well.
/// </summary>
public sealed class RunningInput : IDisposable
{
    private static int _made;

    private readonly byte[] _bytes = new byte[Mutator.MaxBytes];
    private readonly string _path;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    /// <summary>Makes the file, in the folder of what that fuzzer finds.</summary>
    public RunningInput(string fuzzer)
    {
        string directory = Path.Combine(Corpus.Findings, fuzzer);
        Directory.CreateDirectory(directory);
        // Each has a file of its own: to make one anew takes its bytes from who has it mapped, and the process with them.
        _path = Path.Combine(directory, $"running-{Environment.ProcessId}-{Interlocked.Increment(ref _made)}");
        _file = MemoryMappedFile.CreateFromFile(_path, FileMode.Create, null, _bytes.Length);
        _view = _file.CreateViewAccessor();
    }

    /// <summary>Notes what is about to run. Zeros follow it in the file: they come after whatever it does.</summary>
    public void Set(byte[] input)
    {
        input.CopyTo(_bytes, 0);
        _bytes.AsSpan(input.Length).Clear();
        _view.WriteArray(0, _bytes, 0, _bytes.Length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
        File.Delete(_path);
    }
}
