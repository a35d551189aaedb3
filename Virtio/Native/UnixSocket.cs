using System.Text;

namespace InterGuest.Virtio.Native;

/// <summary>Unix stream sockets by path, non-blocking, closed on exec.</summary>
public static unsafe class UnixSocket
{
    /// <summary>The longest path in bytes: <c>sun_path</c> is 108 bytes with its final zero.</summary>
    public const int MaxPathBytes = 107;

    private const int Backlog = 8, AtCurrentDirectory = -100;
    private const int Type = Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC | Libc.SOCK_NONBLOCK;

    /// <summary>Whether a path is short enough for a socket address.</summary>
    public static bool Fits(string path) => Encoding.UTF8.GetByteCount(path) <= MaxPathBytes;

    /// <summary>
    /// Listens at <paramref name="path"/> with the given file mode. A socket file that nobody listens at any more is
    /// replaced; anything else in the way is left alone.
    /// </summary>
    /// <exception cref="NativeException">EADDRINUSE: somebody listens there, or it is not a socket; others as bind(2) says.</exception>
    public static FileDescriptor Listen(string path, int mode) => Listen(path, SocketFile.Unchanged, SocketFile.Unchanged, (uint)mode);

    /// <inheritdoc cref="Listen(string, int)"/>
    public static FileDescriptor Listen(string path, uint user, uint group, uint mode)
    {
        RemoveStale(path);
        var fd = Create();
        try
        {
            byte* address = stackalloc byte[AddressBytes];
            uint length = WriteAddress(path, new Span<byte>(address, AddressBytes));
            Libc.Check(Libc.bind(fd.Number, address, length), $"bind {path}");
            SocketFile.SetAccess(path, user, group, mode); // before anybody can connect
            Libc.Check(Libc.listen(fd.Number, Backlog), $"listen {path}");
            return fd;
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }

    /// <summary>Connects to the socket at <paramref name="path"/>.</summary>
    /// <exception cref="NativeException">Nobody listens there (ENOENT, ECONNREFUSED), or as connect(2) says.</exception>
    public static FileDescriptor Connect(string path)
    {
        var fd = Create();
        try
        {
            byte* address = stackalloc byte[AddressBytes];
            uint length = WriteAddress(path, new Span<byte>(address, AddressBytes));
            Libc.Check(Libc.connect(fd.Number, address, length), $"connect {path}");
            return fd;
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }

    /// <summary>Takes the next connection, or null if none waits.</summary>
    /// <exception cref="NativeException">No descriptor is left.</exception>
    public static FileDescriptor? Accept(FileDescriptor listener)
    {
        int fd = Libc.accept4(listener.Number, null, null, Libc.SOCK_CLOEXEC | Libc.SOCK_NONBLOCK);
        if (fd >= 0)
            return new FileDescriptor(fd);
        return Libc.LastError is Libc.EAGAIN or Libc.EINTR or Libc.ECONNRESET ? null : throw new NativeException("accept", Libc.LastError);
    }

    /// <summary>Two sockets connected to each other.</summary>
    /// <exception cref="NativeException">No descriptor is left.</exception>
    public static (FileDescriptor First, FileDescriptor Second) Pair()
    {
        int* fds = stackalloc int[2];
        Libc.Check(Libc.socketpair(Libc.AF_UNIX, Type, 0, fds), "socketpair");
        return (new FileDescriptor(fds[0]), new FileDescriptor(fds[1]));
    }

    /// <summary>Process and user at the other end, as they were when it connected; zeros if unknown.</summary>
    public static (int Pid, uint Uid) Peer(FileDescriptor socket)
    {
        Libc.PeerCredentials credentials = default;
        uint length = (uint)sizeof(Libc.PeerCredentials);
        return Libc.getsockopt(socket.Number, Libc.SOL_SOCKET, Libc.SO_PEERCRED, &credentials, &length) == 0
            ? (credentials.Pid, credentials.Uid)
            : (0, 0);
    }

    /// <summary>The path that a socket was bound to; empty if it is none of ours, or has none.</summary>
    public static string PathOf(FileDescriptor socket)
    {
        byte* address = stackalloc byte[AddressBytes];
        uint length = AddressBytes;
        if (Libc.getsockname(socket.Number, address, &length) < 0 || length <= 2 || address[0] != Libc.AF_UNIX || address[2] == 0)
            return "";
        var path = new ReadOnlySpan<byte>(address + 2, (int)Math.Min(length, AddressBytes) - 2);
        int end = path.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? path : path[..end]);
    }

    /// <summary>Whether there is a socket at <paramref name="path"/>, used or not.</summary>
    public static bool IsSocket(string path)
    {
        Libc.Statx status;
        return Libc.statx(AtCurrentDirectory, path, 0, Libc.STATX_BASIC_STATS, &status) == 0 && (status.Mode & Libc.S_IFMT) == Libc.S_IFSOCK;
    }

    /// <summary>Whether a descriptor is a socket, of any kind.</summary>
    public static bool IsSocket(FileDescriptor fd)
    {
        Libc.Statx status;
        return Libc.statx(fd.Number, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, &status) == 0 && (status.Mode & Libc.S_IFMT) == Libc.S_IFSOCK;
    }

    /// <summary>Removes a socket file; leaves anything else that has taken its place.</summary>
    public static void Remove(string path)
    {
        if (IsSocket(path))
            _ = Libc.unlink(path);
    }

    /// <summary>Removes a socket file that nobody listens at any more; leaves everything else.</summary>
    /// <returns>Whether the path is free now.</returns>
    public static bool RemoveStale(string path)
    {
        if (!IsSocket(path))
            return !Path.Exists(path);
        try
        {
            Connect(path).Dispose();
            return false;
        }
        catch (NativeException e) when (e.Error == Libc.ECONNREFUSED)
        {
            return Libc.unlink(path) == 0;
        }
        catch (NativeException)
        {
            return false;
        }
    }

    private const int AddressBytes = 110;

    private static FileDescriptor Create() => new(Libc.Check(Libc.socket(Libc.AF_UNIX, Type, 0), "socket"));

    private static uint WriteAddress(string path, Span<byte> address)
    {
        if (!Fits(path))
            throw new NativeException($"socket path {path}", Libc.ENAMETOOLONG);
        address.Clear();
        address[0] = Libc.AF_UNIX;
        return (uint)(2 + Encoding.UTF8.GetBytes(path, address[2..]) + 1);
    }
}
