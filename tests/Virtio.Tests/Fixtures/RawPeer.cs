using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>One end of a vhost-user socket, byte by byte: independent of how the library lays messages out.</summary>
internal sealed unsafe class RawPeer(FileDescriptor socket) : IDisposable
{
    internal const uint Version = 1, IsReply = 4, NeedReply = 8;

    public void Dispose() => socket.Dispose();

    internal static byte[] Message(uint request, uint flags, params ReadOnlySpan<byte> body)
    {
        byte[] message = new byte[12 + body.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(message, request);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(4), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(8), (uint)body.Length);
        body.CopyTo(message.AsSpan(12));
        return message;
    }

    internal static byte[] U64(ulong value) => BitConverter.GetBytes(value);

    internal static byte[] U32s(params uint[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    internal static byte[] U64s(params ulong[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    internal static byte[] Region(RegionLayout l) => U64s(0, l.GuestAddress, l.Size, l.UserAddress, l.FileOffset);

    internal static byte[] Table(params RegionLayout[] regions) => [.. U32s((uint)regions.Length, 0), .. regions.SelectMany(r => Region(r)[8..])];

    /// <summary>Sends bytes, and descriptors with the first of them.</summary>
    internal bool Send(ReadOnlySpan<byte> bytes, params ReadOnlySpan<FileDescriptor> fds)
    {
        byte* control = stackalloc byte[16 + 4 * fds.Length + 8];
        Unsafe.WriteUnaligned(control, (nuint)(16 + 4 * fds.Length));
        Unsafe.WriteUnaligned(control + 8, Libc.SOL_SOCKET);
        Unsafe.WriteUnaligned(control + 12, Libc.SCM_RIGHTS);
        for (int i = 0; i < fds.Length; i++)
            Unsafe.WriteUnaligned(control + 16 + 4 * i, fds[i].Number);
        fixed (byte* from = bytes)
        {
            Libc.IoVector vector = new() { Base = from, Length = (nuint)bytes.Length };
            Libc.MessageHeader header = new() { Vectors = &vector, VectorCount = 1 };
            if (fds.Length > 0)
            {
                header.Control = control;
                header.ControlLength = (nuint)((16 + 4 * fds.Length + 7) & ~7);
            }
            return Libc.sendmsg(socket.Number, &header, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL) == bytes.Length;
        }
    }

    /// <summary>All bytes that are there now.</summary>
    internal byte[] ReadAll()
    {
        var all = new List<byte>();
        byte[] some = new byte[4096];
        fixed (byte* to = some)
            for (nint got; (got = Libc.read(socket.Number, to, (nuint)some.Length)) > 0;)
                all.AddRange(some.AsSpan(0, (int)got));
        return [.. all];
    }
}
