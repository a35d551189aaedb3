using InterGuest.Protos.V1;
using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>The answer to `doctor`: findings by what they are about, each with its remedy below.</summary>
internal static class DiagnosisReport
{
    public static void Write(CliContext context, Diagnosis diagnosis)
    {
        if (diagnosis.Findings.Count == 0)
            context.Screen.WriteLine("There are no ports or links. Add a port: interguest port add NAME");
        foreach (IGrouping<string, Finding> about in diagnosis.Findings.GroupBy(finding => finding.Subject))
        {
            context.Screen.WriteLine(Words.Clean(about.Key));
            context.Screen.Write(Findings(about));
        }
    }

    private static Table Findings(IEnumerable<Finding> findings)
    {
        Table table = Tables.Of("", "~");
        table.ShowHeaders = false;
        foreach (Finding finding in findings)
        {
            (string word, Style style) = Words.Of(finding.Severity);
            table.AddRow(Tables.Cell($"  {word}", style), Tables.Cell(finding.Text));
            if (finding.Remedy.Length > 0)
                table.AddRow(Tables.Cell(""), Tables.Cell($"-> {finding.Remedy}"));
        }
        return table;
    }
}
