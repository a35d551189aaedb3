using InterGuest.Testing;

namespace InterGuest.Interop.Tests.Harness;

/// <summary>Where things are.</summary>
internal static class Repository
{
    /// <summary>The top of the source tree.</summary>
    public static string Root => SourceTree.Root;

    /// <summary>A program of ours, as users have it; after <see cref="BuildAsync"/>.</summary>
    public static string Program(string name) => Path.Combine(Root, "bin", name);

    /// <summary>The QEMU of another Debian release than this machine's; made by deploy/guest/qemu.sh.</summary>
    public static string OtherQemu => Path.Combine(Root, "artifacts", "qemu-trixie", "qemu-system-x86_64");

    /// <summary>Builds our programs, unless they are up to date.</summary>
    public static Task BuildAsync() => Built.Value;

    /// <summary>Builds the guest that VMs boot, unless it is up to date.</summary>
    public static Task BuildGuestAsync() => GuestBuilt.Value;

    /// <summary>Builds the guest with fio, ext4 and a boot loader: <c>artifacts/guest-disks</c>.</summary>
    public static Task BuildDiskGuestAsync() => DiskGuestBuilt.Value;

    /// <summary>Builds the guest with our agent: <c>artifacts/guest-server</c>.</summary>
    public static Task BuildServingGuestAsync() => ServingGuestBuilt.Value;

    /// <summary>A script of the project.</summary>
    public static string Script(string path) => Path.Combine(Root, path);

    /// <summary>Whether a program is in the path.</summary>
    public static bool HasProgram(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(d => File.Exists(Path.Combine(d, name)));

    private static readonly Lazy<Task> Built = Once("deploy/build.sh");

    private static readonly Lazy<Task> GuestBuilt = Once("deploy/guest/build.sh");

    private static readonly Lazy<Task> DiskGuestBuilt = Once("deploy/guest/build.sh", "--disks");

    private static readonly Lazy<Task> ServingGuestBuilt = Once("deploy/guest/build.sh", "--server");

    private static Lazy<Task> Once(string script, params string[] options) =>
        new(() => Command.MustAsync(Script(script), options, TimeSpan.FromMinutes(15)));
}
