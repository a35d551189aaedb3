namespace InterGuest.Virtio.Native;

/// <summary>The file of a socket.</summary>
public static class SocketFile
{
    /// <summary>In place of a user's or group's number: it stays as it is.</summary>
    public const uint Unchanged = uint.MaxValue;

    /// <summary>Sets its owner and mode.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="user">Its user's number.</param>
    /// <param name="group">Its group's number.</param>
    /// <param name="mode">Its mode.</param>
    /// <exception cref="NativeException">EPERM: we may not; others as chown(2) and chmod(2) say.</exception>
    public static void SetAccess(string path, uint user, uint group, uint mode)
    {
        if (user != Unchanged || group != Unchanged)
            Libc.Check(Libc.chown(path, user, group), $"chown {path}");
        Libc.Check(Libc.chmod(path, mode), $"chmod {path}");
    }
}
