using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Ports;

/// <summary>
/// Listening sockets that outlive the process: the service manager holds a second descriptor of each, and gives it to the
/// process that comes next. Who connects in between waits in the socket's backlog. On the control thread.
/// </summary>
/// <param name="notifier">Where they are kept; null: nowhere.</param>
/// <param name="inherited">What the process before left.</param>
public sealed class SocketKeeper(ServiceNotifier? notifier, InheritedDescriptors inherited)
{
    private const string Prefix = "port.";

    /// <summary>Keeps nothing.</summary>
    public static SocketKeeper None { get; } = new(null, new InheritedDescriptors());

    /// <summary>The process ends, the sockets stay.</summary>
    public bool IsHandingOver { get; private set; }

    /// <summary>A port's socket from the life before; null: there is none, or it is another's.</summary>
    public FileDescriptor? Take(string port, string path)
    {
        if (inherited.Take(Prefix + port) is not { } listener)
            return null;
        // The file may have been removed or replaced meanwhile: nobody would find the socket any more.
        if (UnixSocket.PathOf(listener) == path && UnixSocket.IsSocket(path))
            return listener;
        listener.Dispose();
        Forget(port);
        return null;
    }

    /// <summary>Has a port's socket kept from now on.</summary>
    public void Keep(string port, FileDescriptor listener) => notifier?.Send($"FDSTORE=1\nFDPOLL=0\nFDNAME={Prefix}{port}", listener);

    /// <summary>Has it kept no longer.</summary>
    public void Forget(string port) => notifier?.Send($"FDSTOREREMOVE=1\nFDNAME={Prefix}{port}");

    /// <summary>Lets go of sockets of ports that there are no more.</summary>
    public void ForgetRest()
    {
        foreach (string name in inherited.Names.Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            inherited.Take(name)?.Dispose();
            Forget(name[Prefix.Length..]);
        }
    }

    /// <summary>From now on sockets that are closed stay where they are.</summary>
    public void HandOver() => IsHandingOver = notifier != null;
}
