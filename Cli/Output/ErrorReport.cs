namespace InterGuest.Cli.Output;

/// <summary>Errors on standard error: for a person two lines, for a machine one object on one line.</summary>
internal static class ErrorReport
{
    public static void Write(TextWriter error, CliException e, bool json)
    {
        if (json)
        {
            error.WriteLine(Json(e));
            return;
        }
        // Several lines are the switch's right; other control characters are not.
        foreach (string line in e.Message.TrimEnd().Split('\n'))
            error.WriteLine($"interguest: {Words.Clean(line)}");
        if (e.Remedy is not null)
            error.WriteLine($"  {e.Remedy}");
    }

    private static string Json(CliException e) => JsonOutput.Object(indented: false, writer =>
    {
        writer.WriteStartObject("error");
        writer.WriteString("code", e.Code);
        writer.WriteString("message", e.Message);
        if (e.Remedy is not null)
            writer.WriteString("remedy", e.Remedy);
        writer.WriteEndObject();
    });
}
