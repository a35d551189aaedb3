using InterGuest.Protos.V1;

namespace InterGuest.Switch.Diagnosis;

/// <summary>Why does it not work? See <see cref="PortDoctor"/> and <see cref="LinkDoctor"/>.</summary>
internal static class Doctor
{
    /// <summary>Looks at ports and links.</summary>
    /// <param name="ports">The ports that are asked about, and all those of the links.</param>
    /// <param name="links">The links that are asked about.</param>
    /// <param name="fileExists">Whether there is a file of this path.</param>
    public static Protos.V1.Diagnosis Examine(IEnumerable<Port> ports, IEnumerable<Link> links, Func<string, bool> fileExists)
    {
        var findings = links.SelectMany(l => new LinkDoctor(l).Examine()).Concat(ports.SelectMany(p => new PortDoctor(p, fileExists).Examine())).ToList();
        return new Protos.V1.Diagnosis { Works = findings.TrueForAll(f => f.Severity != Severity.Problem), Findings = { findings } };
    }
}
