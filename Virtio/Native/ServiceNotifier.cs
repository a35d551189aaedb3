using System.Runtime.CompilerServices;
using System.Text;

namespace InterGuest.Virtio.Native;

/// <summary>Tells the service manager how the process is, as sd_notify(3) does: datagrams of lines to the socket in NOTIFY_SOCKET.</summary>
public sealed unsafe class ServiceNotifier : IDisposable
{
    private const int FamilyBytes = 2, LongestPath = 107;
    private readonly FileDescriptor _socket;
    private readonly byte[] _address;

    private ServiceNotifier(FileDescriptor socket, byte[] address) => (_socket, _address) = (socket, address);

    /// <summary>A notifier for the socket that the environment names; null: nobody wants to know.</summary>
    /// <param name="name">A path, or @ and an abstract name.</param>
    /// <exception cref="NativeException">There is no descriptor left.</exception>
    public static ServiceNotifier? Open(string? name)
    {
        if (string.IsNullOrEmpty(name) || Encoding.UTF8.GetByteCount(name) > LongestPath)
            return null;
        byte[] address = [Libc.AF_UNIX, 0, .. Encoding.UTF8.GetBytes(name)];
        if (name[0] == '@')
            address[FamilyBytes] = 0;
        int fd = Libc.Check(Libc.socket(Libc.AF_UNIX, Libc.SOCK_DGRAM | Libc.SOCK_CLOEXEC, 0), "socket");
        return new ServiceNotifier(new FileDescriptor(fd), address);
    }

    /// <summary>Tells it.</summary>
    /// <param name="state">Lines such as READY=1.</param>
    /// <param name="keep">A descriptor to keep for us, with FDSTORE=1.</param>
    /// <returns>Whether it was taken.</returns>
    public bool Send(string state, FileDescriptor? keep = null)
    {
        byte[] text = Encoding.UTF8.GetBytes(state);
        // One control message with one descriptor: length, SOL_SOCKET, SCM_RIGHTS, the number (cmsg(3)).
        byte* control = stackalloc byte[24];
        Unsafe.WriteUnaligned(control, (nuint)20);
        Unsafe.WriteUnaligned(control + 8, Libc.SOL_SOCKET);
        Unsafe.WriteUnaligned(control + 12, Libc.SCM_RIGHTS);
        Unsafe.WriteUnaligned(control + 16, keep?.Number ?? -1);
        fixed (byte* from = text, to = _address)
        {
            Libc.IoVector vector = new() { Base = from, Length = (nuint)text.Length };
            Libc.MessageHeader header = new()
            {
                Name = to, NameLength = (uint)_address.Length, Vectors = &vector, VectorCount = 1,
                Control = keep == null ? null : control, ControlLength = keep == null ? 0 : (nuint)24,
            };
            return Libc.sendmsg(_socket.Number, &header, Libc.MSG_NOSIGNAL) == text.Length;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();
}
