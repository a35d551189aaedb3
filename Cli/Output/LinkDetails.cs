using InterGuest.Protos.V1;
using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>The answer to `link show`, and the line that says what a change led to.</summary>
internal static class LinkDetails
{
    public static void Write(CliContext context, Link link)
    {
        var lines = new KeyValues();
        (string state, Style style) = Words.Of(link.State);
        lines.Add("Name", link.Name);
        lines.Add("State", $"{state}{Details.Since(link.StateSince, context)}", style);
        lines.Add("Reason", link.Reason);
        lines.Add("Set to", link.AdminUp ? "up" : "down");
        lines.Add("Ports", LinkTable.Ends(link));
        lines.Add("Hold", Hold(link));
        lines.Add("Loop", link.Loop.ToString());
        NegotiationDetails.Add(lines, link);
        if (link.FailAfter != null)
            lines.Add("Server loss", $"requests fail after {Units.Duration(link.FailAfter)}");
        lines.Add("Warnings", link.Warnings.DefaultIfEmpty("none"), link.Warnings.Count > 0 ? Words.Warning : null);
        foreach (LinkDirection direction in link.Directions)
        {
            lines.Add(Arrow(direction), Details.Traffic(direction.Frames, direction.Bytes));
            lines.Add("  translated", Details.Translated(direction.Translation) ?? "none");
            lines.Add("  drops", Details.Reasons(direction.Drops), direction.Drops.Count > 0 ? Words.Warning : null);
        }
        lines.WriteTo(context.Screen);
    }

    /// <summary>One line: how the link is now.</summary>
    public static void WriteOutcome(CliContext context, Link link)
    {
        string reason = link.Reason.Length > 0 ? $": {link.Reason}" : "";
        context.Screen.WriteLine(Words.Clean($"link {link.Name} is {Words.Of(link.State).Word}{reason}"));
        foreach (string warning in link.Warnings)
            context.Error.WriteLine(Words.Clean($"interguest: warning: {warning}"));
    }

    public static string Arrow(LinkDirection direction) => $"{direction.From} -> {direction.To}";

    private static string Hold(Link link) => Units.Span(link.Hold) == TimeSpan.Zero
        ? "none: frames without a free buffer are dropped at once"
        : $"{Units.Duration(link.Hold)} for a receiver without free buffers";
}
