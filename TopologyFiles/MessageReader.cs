using Google.Protobuf;
using Google.Protobuf.Reflection;
using InterGuest.Protos.V1;
using YamlDotNet.RepresentationModel;

namespace InterGuest.TopologyFiles;

/// <summary>
/// Makes messages of YAML nodes by the messages' own descriptions, so that a new field needs no word here. Remembers the
/// line of everything that it read.
/// </summary>
internal sealed class MessageReader(string fileName)
{
    private const string NameField = "name";

    private readonly Dictionary<string, long> _lines = [];

    public IReadOnlyDictionary<string, long> Lines => _lines;

    public Topology ReadTopology(YamlNode root)
    {
        var topology = new Topology();
        foreach (var (key, value) in Entries(root, "the file", Topology.Descriptor.Fields.InFieldNumberOrder().Select(f => f.Name)))
        {
            _lines[key] = value.Start.Line;
            if (key == "ports")
                topology.Ports.AddRange(Named<CreatePortRequest>(value, key, "port"));
            else
                topology.Links.AddRange(Named<CreateLinkRequest>(value, key, "link"));
        }
        return topology;
    }

    private IEnumerable<T> Named<T>(YamlNode node, string path, string what)
        where T : IMessage, new()
    {
        foreach (var (key, value) in Mapping(node, path))
        {
            var message = new T();
            string name = Scalar(key, $"a {what}'s name");
            message.Descriptor.FindFieldByName(NameField).Accessor.SetValue(message, name);
            _lines[$"{path}/{name}"] = key.Start.Line;
            Fill(message, value, $"{path}/{name}", $"{what} {name}");
            yield return message;
        }
    }

    private void Fill(IMessage message, YamlNode node, string path, string what)
    {
        var fields = message.Descriptor.Fields.InFieldNumberOrder().Where(f => f.Name != NameField).ToList();
        foreach (var (key, value) in Entries(node, what, fields.Select(f => f.Name)))
        {
            _lines[$"{path}/{key}"] = value.Start.Line;
            Set(message, fields.Single(f => f.Name == key), value, $"{path}/{key}", $"{what}: {key}");
        }
    }

    private void Set(IMessage message, FieldDescriptor field, YamlNode node, string path, string what)
    {
        if (field.IsRepeated)
        {
            var list = (System.Collections.IList)field.Accessor.GetValue(message);
            foreach (var item in node is YamlSequenceNode sequence ? sequence.Children : throw Error(node, $"{what}: write a list: [a, b]"))
                list.Add(Value(field, item, what));
        }
        else if (FieldText.IsSingle(field))
        {
            field.Accessor.SetValue(message, Value(field, node, what));
        }
        else
        {
            var inner = field.MessageType.Parser.ParseFrom(ByteString.Empty);
            Fill(inner, node, path, what);
            field.Accessor.SetValue(message, inner);
        }
    }

    private object Value(FieldDescriptor field, YamlNode node, string what)
    {
        string text = Scalar(node, what);
        return FieldText.Parse(field, text) ?? throw Error(node, $"{what}: '{text}' is not {FieldText.Rule(field)}");
    }

    private IEnumerable<(string Key, YamlNode Value)> Entries(YamlNode node, string what, IEnumerable<string> allowed)
    {
        foreach (var (key, value) in Mapping(node, what))
        {
            string name = Scalar(key, what);
            if (!allowed.Contains(name))
                throw Error(key, $"{what}: there is no '{name}' in it; it may have {string.Join(", ", allowed)}");
            yield return (name, value);
        }
    }

    /// <summary>Nothing at all is an empty mapping: a port that has a name only.</summary>
    private IEnumerable<KeyValuePair<YamlNode, YamlNode>> Mapping(YamlNode node, string what) => node switch
    {
        YamlMappingNode mapping => mapping.Children,
        YamlScalarNode { Value: null or "" or "~" or "null" } => [],
        _ => throw Error(node, $"{what}: write a mapping: name: value"),
    };

    private string Scalar(YamlNode node, string what) =>
        node is YamlScalarNode { Value: { } text } ? text : throw Error(node, $"{what}: write a single value");

    private TopologyFileException Error(YamlNode node, string message) => new($"{fileName}:{node.Start.Line}: {message}");
}
