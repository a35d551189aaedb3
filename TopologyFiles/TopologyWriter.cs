using Google.Protobuf;
using InterGuest.Protos.V1;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace InterGuest.TopologyFiles;

/// <summary>Writes a topology as <see cref="TopologyFile"/> reads it.</summary>
public static class TopologyWriter
{
    /// <summary>The text of a file.</summary>
    public static string Write(Topology topology)
    {
        ArgumentNullException.ThrowIfNull(topology);
        using var text = new StringWriter { NewLine = "\n" };
        var emitter = new Emitter(text, EmitterSettings.Default.WithMaxSimpleKeyLength(1024));
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        emitter.Emit(new MappingStart());
        WriteNamed(emitter, "ports", topology.Ports);
        WriteNamed(emitter, "links", topology.Links);
        emitter.Emit(new MappingEnd());
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
    }

    private static void WriteNamed(Emitter emitter, string key, IEnumerable<IMessage> messages)
    {
        emitter.Emit(new Scalar(key));
        emitter.Emit(new MappingStart(null, null, isImplicit: true, messages.Any() ? MappingStyle.Block : MappingStyle.Flow));
        foreach (var message in messages)
        {
            emitter.Emit(new Scalar((string)message.Descriptor.FindFieldByName("name").Accessor.GetValue(message)));
            WriteFields(emitter, message);
        }
        emitter.Emit(new MappingEnd());
    }

    private static void WriteFields(Emitter emitter, IMessage message)
    {
        var fields = MessageFields.SetOf(message).ToList();
        emitter.Emit(new MappingStart(null, null, isImplicit: true, fields.Count > 0 ? MappingStyle.Block : MappingStyle.Flow));
        foreach (var field in fields)
        {
            emitter.Emit(new Scalar(field.Name));
            object value = field.Accessor.GetValue(message);
            if (field.IsRepeated)
            {
                emitter.Emit(new SequenceStart(null, null, isImplicit: true, SequenceStyle.Flow));
                foreach (object item in (System.Collections.IEnumerable)value)
                    emitter.Emit(new Scalar(FieldText.Format(field, item)));
                emitter.Emit(new SequenceEnd());
            }
            else if (FieldText.IsSingle(field))
            {
                emitter.Emit(new Scalar(FieldText.Format(field, value)));
            }
            else
            {
                WriteFields(emitter, (IMessage)value);
            }
        }
        emitter.Emit(new MappingEnd());
    }
}
