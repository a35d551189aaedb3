using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace InterGuest.TopologyFiles;

/// <summary>The fields of what is declared, apart from its name.</summary>
public static class MessageFields
{
    /// <summary>Those that a message has something in, in the order of their numbers.</summary>
    public static IEnumerable<FieldDescriptor> SetOf(IMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return message.Descriptor.Fields.InFieldNumberOrder().Where(f => f.Name != "name" && IsSet(f, message));
    }

    /// <summary>Those in which two messages of a type differ.</summary>
    public static IEnumerable<FieldDescriptor> Different(IMessage one, IMessage other)
    {
        ArgumentNullException.ThrowIfNull(one);
        return one.Descriptor.Fields.InFieldNumberOrder()
            .Where(f => f.Name != "name" && !Equals(f.Accessor.GetValue(one), f.Accessor.GetValue(other)));
    }

    /// <summary>A message without what is the same in another.</summary>
    public static T Without<T>(T message, T other)
        where T : IMessage<T>
    {
        var rest = message.Clone();
        foreach (var field in SetOf(message))
            if (Equals(field.Accessor.GetValue(message), field.Accessor.GetValue(other)))
                field.Accessor.Clear(rest);
        return rest;
    }

    private static bool IsSet(FieldDescriptor field, IMessage message) => field.IsRepeated
        ? ((System.Collections.ICollection)field.Accessor.GetValue(message)).Count > 0
        : field.HasPresence ? field.Accessor.HasValue(message)
        : !Equals(field.Accessor.GetValue(message), Default(field));

    private static object Default(FieldDescriptor field) =>
        field.Accessor.GetValue(field.ContainingType.Parser.ParseFrom(ByteString.Empty));
}
