using System.Buffers.Binary;
using System.Text;
using InterGuest.Virtio.Devices;

namespace InterGuest.Virtio.Native;

/// <summary>
/// A tap: a network interface of the host whose frames a program reads and writes, here each with the 12-byte header of a
/// virtio network device in front (the kernel's Documentation/networking/tuntap.rst). Non-blocking.
/// </summary>
public sealed unsafe class Tap : IDisposable
{
    /// <summary>The longest name (IFNAMSIZ without its final zero).</summary>
    public const int MaxNameBytes = 15;

    private const string Device = "/dev/net/tun";
    private const ushort IFF_TAP = 2, IFF_NO_PI = 0x1000, IFF_VNET_HDR = 0x4000;
    private const uint TUNSETIFF = 0x400454ca, TUNSETOFFLOAD = 0x400454d0, TUNSETVNETHDRSZ = 0x400454d8;
    private const int RequestBytes = 40, FlagsAt = 16; // struct ifreq: a name, then a union

    private Tap(FileDescriptor fd) => Descriptor = fd;

    /// <summary>Readable when a frame is there.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>Attaches to a tap; one that is not there is made (which needs CAP_NET_ADMIN) and lasts as long as this object.</summary>
    /// <param name="name">Of the interface: at most <see cref="MaxNameBytes"/>.</param>
    /// <exception cref="NativeException">
    /// ENOENT: no /dev/net/tun; EPERM: it is not the caller's; EBUSY: another program has it; EINVAL: it is no tap, or one with
    /// several queues.
    /// </exception>
    public static Tap Open(string name)
    {
        var tap = new Tap(new FileDescriptor(Libc.Check(Libc.open(Device, Libc.O_RDWR | Libc.O_CLOEXEC | Libc.O_NONBLOCK, 0), $"open {Device}")));
        try
        {
            Span<byte> request = stackalloc byte[RequestBytes];
            request.Clear();
            Encoding.UTF8.GetBytes(name, request[..MaxNameBytes]);
            BinaryPrimitives.WriteUInt16LittleEndian(request[FlagsAt..], IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
            fixed (byte* p = request)
                Libc.Check(Libc.ioctl(tap.Descriptor.Number, TUNSETIFF, (nint)p), $"attach to tap {name}");
            int headerBytes = NetHeader.Bytes;
            Libc.Check(Libc.ioctl(tap.Descriptor.Number, TUNSETVNETHDRSZ, (nint)(&headerBytes)), $"set the header size of tap {name}");
            return tap;
        }
        catch
        {
            tap.Dispose();
            throw;
        }
    }

    /// <summary>Says what the frames that are read may need of whoever gets them.</summary>
    /// <param name="features">Features for sending (CSUM, HOST_TSO4, ...) of the device that they go to.</param>
    /// <exception cref="NativeException">The kernel does not know one of them.</exception>
    public void SetOffloads(ulong features)
    {
        // TUN_F_CSUM, TSO4, TSO6, TSO_ECN; segmentation is nothing without checksums (tun_chr_ioctl's set_offload).
        (ulong Feature, int Flag)[] known = [(Features.NetHostTso4, 2), (Features.NetHostTso6, 4), (Features.NetHostEcn, 8)];
        int flags = 0;
        if ((features & Features.NetChecksum) != 0)
            flags = known.Aggregate(1, (all, k) => (features & k.Feature) != 0 ? all | k.Flag : all);
        Libc.Check(Libc.ioctl(Descriptor.Number, TUNSETOFFLOAD, flags), "set the offloads of the tap");
    }

    /// <summary>Reads a frame.</summary>
    /// <param name="packet">Room for a header and the largest frame.</param>
    /// <returns>Its bytes with the header; 0: there is none; -1: the interface is gone.</returns>
    public int Read(Span<byte> packet)
    {
        nint got;
        fixed (byte* p = packet)
            got = Libc.read(Descriptor.Number, p, (nuint)packet.Length);
        return got > 0 ? (int)got : Libc.LastError is Libc.EAGAIN or Libc.EINTR ? 0 : -1;
    }

    /// <summary>Writes a frame.</summary>
    /// <param name="packet">A header and a frame.</param>
    /// <returns>Whether the kernel took it: not if the interface is down, or a field of the header cannot be.</returns>
    public bool Write(ReadOnlySpan<byte> packet)
    {
        fixed (byte* p = packet)
            return Libc.write(Descriptor.Number, p, (nuint)packet.Length) == packet.Length;
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();
}
