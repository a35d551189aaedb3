using InterGuest.Protos.V1;

namespace InterGuest.Cli.Output;

/// <summary>What `apply` changed or would change: a line each, and the sum.</summary>
internal static class ChangeList
{
    public static void Write(CliContext context, ApplyResponse response, bool dryRun)
    {
        foreach (Change change in response.Changes)
            context.Screen.WriteLine(Words.Clean(Line(change)));
        context.Screen.WriteLine(Sum(response, dryRun));
        if (response.Left.Count > 0)
            context.Screen.WriteLine(Words.Clean($"not in the file, and left: {string.Join(", ", response.Left)} (--prune removes them)"));
    }

    private static string Line(Change change)
    {
        string subject = change.Subject == SubjectKind.Link ? "link" : "port";
        string[] details = [.. change.Fields.Select(f => Field(change.Kind, f)), .. change.Reason.Length > 0 ? [change.Reason] : Array.Empty<string>()];
        string line = $"{Sign(change.Kind)} {subject} {change.Name}";
        return details.Length > 0 ? $"{line}: {string.Join(", ", details)}" : line;
    }

    private static string Field(ChangeKind kind, FieldChange field) => kind == ChangeKind.Create
        ? $"{field.Field} {field.After}"
        : $"{field.Field} {OrNone(field.Before)} -> {OrNone(field.After)}";

    private static string OrNone(string value) => value.Length > 0 ? value : "none";

    private static char Sign(ChangeKind kind) => kind switch
    {
        ChangeKind.Create => '+',
        ChangeKind.Update => '~',
        ChangeKind.Replace => '!',
        ChangeKind.Remove => '-',
        _ => '?',
    };

    private static string Sum(ApplyResponse response, bool dryRun)
    {
        if (response.Changes.Count == 0)
            return "nothing to change";
        var counts = new (ChangeKind Kind, string Done)[]
        {
            (ChangeKind.Create, "created"), (ChangeKind.Update, "changed"), (ChangeKind.Replace, "made again"), (ChangeKind.Remove, "removed"),
        };
        var parts = counts.Select(c => (Count: response.Changes.Count(x => x.Kind == c.Kind), c.Done)).Where(c => c.Count > 0);
        return $"{string.Join(", ", parts.Select(p => $"{p.Count} {(dryRun ? "would be " : "")}{p.Done}"))}";
    }
}
