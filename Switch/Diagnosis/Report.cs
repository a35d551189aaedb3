using InterGuest.Protos.V1;

namespace InterGuest.Switch.Diagnosis;

/// <summary>Findings about one thing, as they are made.</summary>
internal sealed class Report(string subject)
{
    private readonly List<Finding> _findings = [];

    public IReadOnlyList<Finding> Findings => _findings;

    public void Good(string code, string text) => Add(Severity.Good, code, text, "");

    public void Note(string code, string text, string remedy = "") => Add(Severity.Note, code, text, remedy);

    public void Warning(string code, string text, string remedy) => Add(Severity.Warning, code, text, remedy);

    public void Problem(string code, string text, string remedy) => Add(Severity.Problem, code, text, remedy);

    private void Add(Severity severity, string code, string text, string remedy) =>
        _findings.Add(new Finding { Severity = severity, Code = code, Subject = subject, Text = text, Remedy = remedy });
}
