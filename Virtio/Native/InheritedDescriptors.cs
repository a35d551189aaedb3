using System.Globalization;

namespace InterGuest.Virtio.Native;

/// <summary>Descriptors that a service manager left open for this process, by the names it gives them (sd_listen_fds(3)).</summary>
public sealed class InheritedDescriptors : IDisposable
{
    private const int First = 3;
    private readonly Dictionary<string, FileDescriptor> _byName = [];

    /// <summary>None.</summary>
    public InheritedDescriptors()
    {
    }

    private InheritedDescriptors(int count, string[] names)
    {
        for (int i = 0; i < count; i++)
        {
            if (Libc.fcntl(First + i, Libc.F_SETFD, Libc.FD_CLOEXEC) < 0)
                continue; // not there
            var fd = new FileDescriptor(First + i);
            if (!_byName.TryAdd(i < names.Length ? names[i] : "", fd))
                fd.Dispose();
        }
    }

    /// <summary>Names of those that nobody has taken.</summary>
    public IReadOnlyCollection<string> Names => [.. _byName.Keys];

    /// <summary>
    /// Owns what the environment says was left. Once in the life of a process: the numbers may be anybody's later.
    /// </summary>
    public static InheritedDescriptors FromEnvironment()
    {
        static string Of(string variable) => Environment.GetEnvironmentVariable(variable) ?? "";
        bool ours = Of("LISTEN_PID") == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        return ours && int.TryParse(Of("LISTEN_FDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is > 0 and < 1 << 16
            ? new InheritedDescriptors(count, Of("LISTEN_FDNAMES").Split(':'))
            : new InheritedDescriptors();
    }

    /// <summary>Hands one over; null: there is none of that name.</summary>
    public FileDescriptor? Take(string name) => _byName.Remove(name, out var fd) ? fd : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var fd in _byName.Values)
            fd.Dispose();
        _byName.Clear();
    }
}
