namespace InterGuest.Interop.Tests.Harness;

/// <summary>A test that boots real VMs.</summary>
public sealed class VmFactAttribute : FactAttribute
{
    public VmFactAttribute() => Skip = Lacking;

    internal static string? Lacking { get; } =
        !Repository.HasProgram("qemu-system-x86_64") ? "qemu-system-x86_64 is not installed: deploy/setup.sh tests"
        : !Repository.HasProgram("socat") ? "socat is not installed: deploy/setup.sh tests"
        : null;
}

/// <summary>A test that boots real VMs, with data.</summary>
public sealed class VmTheoryAttribute : TheoryAttribute
{
    public VmTheoryAttribute() => Skip = VmFactAttribute.Lacking;
}

/// <summary>A test that boots VMs with the installed QEMU and with that of Debian 13.</summary>
public sealed class TwoQemusFactAttribute : FactAttribute
{
    public TwoQemusFactAttribute()
    {
        if (VmFactAttribute.Lacking is { } missing)
            Skip = missing;
        else if (!File.Exists(Repository.OtherQemu))
            Skip = "the QEMU of Debian 13 is not there: deploy/guest/qemu.sh";
    }
}

/// <summary>A test against DPDK's virtio-user.</summary>
public sealed class DpdkTheoryAttribute : TheoryAttribute
{
    public DpdkTheoryAttribute()
    {
        if (!Repository.HasProgram("dpdk-testpmd"))
            Skip = "dpdk-testpmd is not installed: deploy/setup.sh tests";
    }
}

/// <summary>A test with a client in Python.</summary>
public sealed class PythonFactAttribute : FactAttribute
{
    public const string Python = "/usr/bin/python3";

    public PythonFactAttribute()
    {
        if (!File.Exists(Python) || Command.RunAsync(Python, ["-c", "import grpc, google.protobuf"]).GetAwaiter().GetResult().ExitCode != 0)
            Skip = "Python's grpc is not installed: deploy/setup.sh tests";
    }
}

/// <summary>A test with tcpdump.</summary>
public sealed class TcpdumpFactAttribute : FactAttribute
{
    public TcpdumpFactAttribute()
    {
        if (!Repository.HasProgram("tcpdump"))
            Skip = "tcpdump is not installed: deploy/setup.sh tests";
    }
}

/// <summary>A test that installs the Debian package in a copy of this system.</summary>
public sealed class PackageFactAttribute : FactAttribute
{
    // As tests/package.sh will: an overlay on a file system in memory, which only the process sees.
    private const string Probe = "d=$(mktemp -d) && mount -t tmpfs none $d && mkdir $d/u $d/w $d/r && mount -t overlay overlay -o lowerdir=/,upperdir=$d/u,workdir=$d/w $d/r";

    public PackageFactAttribute()
    {
        if (!Environment.IsPrivilegedProcess)
            Skip = "only root can mount a copy of this system";
        else if (!Repository.HasProgram("dpkg-deb") || !Repository.HasProgram("groff"))
            Skip = "dpkg-deb or groff is not installed: deploy/setup.sh tests";
        else if (Command.RunAsync("unshare", ["--mount", "--propagation", "private", "sh", "-c", Probe]).GetAwaiter().GetResult().ExitCode != 0)
            Skip = "an overlay of this system cannot be mounted here";
    }
}

/// <summary>A test in a browser.</summary>
public sealed class ChromiumFactAttribute : FactAttribute
{
    public ChromiumFactAttribute()
    {
        if (!Repository.HasProgram("chromium"))
            Skip = "chromium is not installed: deploy/setup.sh tests";
    }
}
