using System.Buffers.Binary;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>
/// A split virtqueue whose descriptor i is always buffer i, as bytes (VIRTIO 1.2, 2.7): a driver so simple that it keeps up with
/// any device, and can be spoilt while it runs.
/// </summary>
internal sealed class FlatRing(DriverMemory memory, ulong at, int size)
{
    /// <summary>Bytes that the three areas take.</summary>
    public static int Bytes(int size) => 26 * size + 16;

    public int Size => size;

    /// <summary>By the front-end's addresses, which are those of the memory.</summary>
    public RingLayout Layout => new(memory.UserAddress(at), memory.UserAddress(Available), memory.UserAddress(Used));

    public ushort AvailableIndex
    {
        get => BinaryPrimitives.ReadUInt16LittleEndian(memory.At(Available + 2, 2));
        set
        {
            Interlocked.MemoryBarrier(); // what is made available is there before
            BinaryPrimitives.WriteUInt16LittleEndian(memory.At(Available + 2, 2), value);
        }
    }

    public ushort UsedIndex
    {
        get
        {
            ushort index = BinaryPrimitives.ReadUInt16LittleEndian(memory.At(Used + 2, 2));
            Interlocked.MemoryBarrier(); // and only then what it is about
            return index;
        }
    }

    public void SetHead(int slot, ushort head) => BinaryPrimitives.WriteUInt16LittleEndian(memory.At(Available + 4 + 2 * (ulong)(slot % size), 2), head);

    public void SetDescriptor(int index, ulong address, uint length, int flags, int next = 0) =>
        WriteDescriptor(memory.At(at + 16 * (ulong)index, 16), address, length, flags, next);

    public static void WriteDescriptor(Span<byte> entry, ulong address, uint length, int flags, int next)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(entry, address);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[12..], (ushort)flags);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[14..], (ushort)next);
    }

    public (uint Id, uint Length) UsedEntry(int slot)
    {
        var entry = memory.At(Used + 4 + 8 * (ulong)(slot % size), 8);
        return (BinaryPrimitives.ReadUInt32LittleEndian(entry), BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]));
    }

    /// <summary>Any byte of the used ring, spoilt.</summary>
    public void SpoilUsed(int offset, byte value) => memory.At(Used + (ulong)(offset % (6 + 8 * size)), 1)[0] = value;

    private ulong Available => at + 16 * (ulong)size;

    private ulong Used => (Available + 6 + 2 * (ulong)size + 3) & ~3ul;
}
