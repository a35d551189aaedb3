using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;

namespace InterGuest.Cli.Output;

/// <summary>Output for machines: protobuf's JSON mapping for messages, plain JSON for what is no message.</summary>
internal static class JsonOutput
{
    private static readonly JsonFormatter.Settings Settings =
        JsonFormatter.Settings.Default.WithFormatDefaultValues(true);

    /// <summary>Indented, for a whole answer.</summary>
    public static string Message(IMessage message) => new JsonFormatter(Settings.WithIndentation()).Format(message);

    /// <summary>On one line, for streams.</summary>
    public static string Line(IMessage message) => new JsonFormatter(Settings).Format(message);

    public static string Object(bool indented, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions
        {
            Indented = indented,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        using (var writer = new Utf8JsonWriter(buffer, options))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
