using System.Security.Cryptography;
using InterGuest.Testing;

namespace InterGuest.Fuzz.Engine;

/// <summary>Inputs in files: a folder per fuzzer, and those that once failed in <c>regressions</c>, a folder per fuzzer again.</summary>
public static class Corpus
{
    /// <summary>Where the project keeps its corpus.</summary>
    public static string Folder { get; } = Path.Combine(SourceTree.Root, "tests", "Fuzz", "corpus");

    /// <summary>Where inputs that fail are put.</summary>
    public static string Findings { get; } = Path.Combine(SourceTree.Root, "artifacts", "fuzz");

    /// <summary>The inputs of a fuzzer that are worth to begin with.</summary>
    public static IEnumerable<byte[]> Of(string fuzzer) => Files(Path.Combine(Folder, fuzzer)).Concat(Regressions(fuzzer)).Select(File.ReadAllBytes);

    /// <summary>The files of inputs that failed once.</summary>
    public static IEnumerable<string> Regressions(string fuzzer) => Files(Path.Combine(Folder, "regressions", fuzzer));

    /// <summary>Which fuzzer a file is for: its folder says so.</summary>
    public static string FuzzerOf(string file) => Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(file)))!;

    /// <summary>Writes an input to a file named by its content.</summary>
    /// <returns>The file.</returns>
    public static string Write(string folder, string fuzzer, byte[] input)
    {
        string directory = Path.Combine(folder, fuzzer);
        Directory.CreateDirectory(directory);
        string file = Path.Combine(directory, Convert.ToHexStringLower(SHA256.HashData(input))[..16]);
        File.WriteAllBytes(file, input);
        return file;
    }

    /// <summary>Adds the shortest of some inputs that together do all that is new to the corpus.</summary>
    public static void Extend(IFuzzer fuzzer, IEnumerable<byte[]> inputs)
    {
        var tally = new Tally();
        foreach (byte[] known in Of(fuzzer.Name))
            fuzzer.Run(new Input(known), tally);
        foreach (byte[] input in inputs.OrderBy(i => i.Length))
        {
            tally.HasNews = false;
            fuzzer.Run(new Input(input), tally);
            if (tally.HasNews)
                Write(Folder, fuzzer.Name, input);
        }
    }

    private static IEnumerable<string> Files(string folder) =>
        Directory.Exists(folder) ? Directory.GetFiles(folder).Where(f => Path.GetFileName(f)[0] != '.').Order(StringComparer.Ordinal) : [];
}
