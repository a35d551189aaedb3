using InterGuest.Protos.V1;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace InterGuest.TopologyFiles;

/// <summary>
/// A file that says which ports and links there are to be: two mappings, ports and links, from a name to what is not as it
/// would be anyway, in the words of CreatePortRequest and CreateLinkRequest.
/// </summary>
public sealed class TopologyFile
{
    private readonly string _name;
    private readonly IReadOnlyDictionary<string, long> _lines;

    private TopologyFile(string name, Topology topology, IReadOnlyDictionary<string, long> lines) =>
        (_name, Topology, _lines) = (name, topology, lines);

    /// <summary>What it says.</summary>
    public Topology Topology { get; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="TopologyFileException">It cannot be read, or is no topology.</exception>
    public static TopologyFile Load(string path)
    {
        try
        {
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TopologyFileException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Reads the text of a file.</summary>
    /// <exception cref="TopologyFileException">It is no topology.</exception>
    public static TopologyFile Parse(string text, string name)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new TopologyFileException($"{name}:{e.Start.Line}: {e.Message}", e);
        }
        if (stream.Documents.Count != 1)
            throw new TopologyFileException(stream.Documents.Count == 0
                ? $"{name}: it is empty: write 'ports: {{}}' for no ports"
                : $"{name}: it has {stream.Documents.Count} documents: write one");
        var reader = new MessageReader(name);
        var topology = reader.ReadTopology(stream.Documents[0].RootNode);
        return new TopologyFile(name, topology, reader.Lines);
    }

    /// <summary>A message about a part of the topology, with its file and line before it.</summary>
    /// <param name="subject">The part: ports/NAME/FIELD, or the beginning of that.</param>
    /// <param name="message">What is wrong.</param>
    public string Locate(string subject, string message)
    {
        for (string part = subject; part.Length > 0; part = part[..Math.Max(0, part.LastIndexOf('/'))])
            if (_lines.TryGetValue(part, out long line))
                return $"{_name}:{line}: {message}";
        return $"{_name}: {message}";
    }
}
