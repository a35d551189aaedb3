using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Ports;

/// <summary>Why a socket cannot be opened, and what to do about it.</summary>
internal static class SocketErrors
{
    private const int NotPermitted = 1, PermissionDenied = 13, NoSuchFile = 2, ReadOnlyFileSystem = 30, AddressInUse = 98;

    public static SwitchException Explain(string path, NativeException e)
    {
        string directory = Path.GetDirectoryName(path) ?? "/";
        return new SwitchException(SwitchError.Precondition, e.Error switch
        {
            AddressInUse when UnixSocket.IsSocket(path) => $"socket {path} is in use: another process listens there. Choose another path, or end that process",
            AddressInUse => $"socket {path}: there is a file of that name that is not a socket. Choose another path, or remove it",
            NoSuchFile => $"socket {path}: the directory {directory} does not exist. Make it, or choose another path",
            NotPermitted => $"socket {path}: the switch may not give it to that owner or group. Only root gives a file to another user; to a group, who is a member of it. Use the group alone, and put the switch's user into it",
            PermissionDenied or ReadOnlyFileSystem =>
                $"socket {path}: the switch may not write to the directory {directory} ({e.Reason}). Give its user the right to, or choose another path",
            _ => $"socket {path}: {e.Message}",
        });
    }
}
