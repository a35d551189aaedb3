using System.Globalization;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace InterGuest.TopologyFiles;

/// <summary>Single values of a message's fields as people write them: listen, 4, 10M, 500ms, true.</summary>
public static class FieldText
{
    private static readonly (string Suffix, ulong Factor)[] Multiples =
        [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];

    /// <summary>The value that a text means for a field; null: none.</summary>
    public static object? Parse(FieldDescriptor field, string text)
    {
        ArgumentNullException.ThrowIfNull(field);
        return field.FieldType switch
        {
            FieldType.String => text,
            FieldType.Bool => text switch { "true" => true, "false" => false, _ => null },
            FieldType.UInt32 => Number(text) is { } number && number <= uint.MaxValue ? (uint)number : null,
            FieldType.UInt64 => Number(text),
            FieldType.Enum => Words(field.EnumType).FirstOrDefault(w => w.Word == text) is { Word: not null } word ? word.Number : null,
            FieldType.Message when IsDuration(field) => DurationText.Parse(text),
            _ => null,
        };
    }

    /// <summary>A value as <see cref="Parse"/> reads it back; repeated ones in brackets.</summary>
    public static string Format(FieldDescriptor field, object? value)
    {
        ArgumentNullException.ThrowIfNull(field);
        return value switch
        {
            null => "",
            string text => text,
            bool yes => yes ? "true" : "false",
            uint number => Number(number),
            ulong number => Number(number),
            Duration duration => DurationText.Format(duration),
            System.Collections.IEnumerable many => $"[{string.Join(", ", many.Cast<object>())}]",
            _ when field.FieldType == FieldType.Enum =>
                Words(field.EnumType).FirstOrDefault(w => w.Number == Convert.ToInt32(value, CultureInfo.InvariantCulture)).Word ?? "",
            _ => value.ToString() ?? "",
        };
    }

    /// <summary>What would be right; the end of a sentence about a text that is not.</summary>
    public static string Rule(FieldDescriptor field)
    {
        ArgumentNullException.ThrowIfNull(field);
        return field.FieldType switch
        {
            FieldType.Bool => "true or false",
            FieldType.UInt32 or FieldType.UInt64 => "a whole number, which may end in k, M, G or T",
            FieldType.Enum => $"one of {string.Join(", ", Words(field.EnumType).Select(w => w.Word))}",
            FieldType.Message when IsDuration(field) => "a duration: write 500ms, 2s or 0",
            _ => "a text",
        };
    }

    /// <summary>Whether the field holds one value, which a text can be.</summary>
    public static bool IsSingle(FieldDescriptor field)
    {
        ArgumentNullException.ThrowIfNull(field);
        return !field.IsRepeated && (field.FieldType != FieldType.Message || IsDuration(field));
    }

    private static bool IsDuration(FieldDescriptor field) => field.MessageType == Duration.Descriptor;

    /// <summary>SOCKET_MODE_LISTEN is written "listen"; the one that says nothing cannot be written.</summary>
    private static IEnumerable<(string Word, int Number)> Words(EnumDescriptor type) => type.Values
        .Where(v => v.Number != 0)
        .Select(v => (v.Name[Prefix(type)..].ToLowerInvariant().Replace('_', '-'), v.Number));

    private static int Prefix(EnumDescriptor type) => type.Values[0].Name.Length - "UNSPECIFIED".Length;

    private static ulong? Number(string text)
    {
        (string suffix, ulong factor) = Multiples.FirstOrDefault(m => text.EndsWith(m.Suffix, StringComparison.Ordinal), (Suffix: "", Factor: 1UL));
        return ulong.TryParse(text[..^suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            && number <= ulong.MaxValue / factor
                ? number * factor
                : null;
    }

    private static string Number(ulong number)
    {
        (string suffix, ulong factor) = Multiples.FirstOrDefault(m => number > 0 && number % m.Factor == 0, (Suffix: "", Factor: 1UL));
        return (number / factor).ToString(CultureInfo.InvariantCulture) + suffix;
    }
}
