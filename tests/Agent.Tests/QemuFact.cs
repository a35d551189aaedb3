namespace InterGuest.Agent.Tests;

/// <summary>A test with QEMU's disk tools as the peer (deploy/setup.sh installs them).</summary>
public sealed class QemuFact : FactAttribute
{
    public QemuFact()
    {
        string[] path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        if (!path.Any(directory => File.Exists(Path.Combine(directory, "qemu-io"))))
            Skip = "qemu-io is missing: run deploy/setup.sh";
    }
}
