using System.Buffers.Binary;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>A split virtqueue as its bytes lie in guest memory: for drivers that break the rules, and to see what the device wrote.</summary>
internal sealed class RawRing(DriverMemory memory, RingLayout layout, int size)
{
    internal const int Next = 1, Write = 2, Indirect = 4;

    private readonly ulong _toGuest = memory.Layout.GuestAddress - memory.Layout.UserAddress;

    internal ushort AvailableFlags { get => Get(layout.Available); set => Set(layout.Available, value); }

    internal ushort AvailableIndex { get => Get(layout.Available + 2); set => Set(layout.Available + 2, value); }

    internal ushort UsedEvent { get => Get(layout.Available + 4 + 2 * (ulong)size); set => Set(layout.Available + 4 + 2 * (ulong)size, value); }

    internal ushort UsedFlags => Get(layout.Used);

    internal ushort UsedIndex { get => Get(layout.Used + 2); set => Set(layout.Used + 2, value); }

    internal ushort AvailableEvent => Get(layout.Used + 4 + 8 * (ulong)size);

    /// <summary>The used ring's entry for an index.</summary>
    internal (uint Id, uint Length) Used(int index)
    {
        var entry = At(layout.Used + 4 + 8 * (ulong)(index & (size - 1)), 8);
        return (BinaryPrimitives.ReadUInt32LittleEndian(entry), BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]));
    }

    internal void Descriptor(int index, ulong address, uint length, int flags = 0, int next = 0) =>
        Write16(At(layout.Descriptors + 16 * (ulong)index, 16), address, length, flags, next);

    /// <summary>An entry of an indirect table at any guest address in this memory.</summary>
    internal void TableEntry(ulong table, int index, ulong address, uint length, int flags = 0, int next = 0) =>
        Write16(memory.At(table + 16 * (ulong)index, 16), address, length, flags, next);

    /// <summary>The bytes of a descriptor, for a table that lies where they cannot be written at once.</summary>
    internal static byte[] Bytes(ulong address, uint length, int flags = 0, int next = 0)
    {
        byte[] bytes = new byte[16];
        Write16(bytes, address, length, flags, next);
        return bytes;
    }

    /// <summary>Makes chains available, whatever they are.</summary>
    internal void Offer(params ReadOnlySpan<int> heads)
    {
        foreach (int head in heads)
        {
            Set(layout.Available + 4 + 2 * (ulong)(AvailableIndex & (size - 1)), (ushort)head);
            AvailableIndex++;
        }
    }

    private static void Write16(Span<byte> to, ulong address, uint length, int flags, int next)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, address);
        BinaryPrimitives.WriteUInt32LittleEndian(to[8..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(to[12..], (ushort)flags);
        BinaryPrimitives.WriteUInt16LittleEndian(to[14..], (ushort)next);
    }

    private Span<byte> At(ulong user, int length) => memory.At(user + _toGuest, length);

    private ushort Get(ulong user) => BinaryPrimitives.ReadUInt16LittleEndian(At(user, 2));

    private void Set(ulong user, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(At(user, 2), value);
}
