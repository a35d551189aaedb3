using System.Buffers.Binary;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>A guest's rings as bytes: for what no proper driver does, and for what the device wrote.</summary>
internal sealed class RawRing(TestGuest guest, TestQueue queue)
{
    private readonly int _size = queue.Driver.Size;

    public Span<byte> Descriptors => Area(queue.Driver.Layout.Descriptors, 16 * _size);

    public Span<byte> Available => Area(queue.Driver.Layout.Available, 6 + 2 * _size);

    public Span<byte> Used => Area(queue.Driver.Layout.Used, 6 + 8 * _size);

    public ushort AvailableIndex
    {
        get => BinaryPrimitives.ReadUInt16LittleEndian(Available[2..]);
        set => BinaryPrimitives.WriteUInt16LittleEndian(Available[2..], value);
    }

    public ushort UsedIndex => BinaryPrimitives.ReadUInt16LittleEndian(Used[2..]);

    /// <summary>Whether the device asks for kicks, by flags.</summary>
    public bool WantsKick => (Used[0] & 1) == 0;

    public void SetAvailable(int slot, ushort head) => BinaryPrimitives.WriteUInt16LittleEndian(Available[(4 + 2 * slot)..], head);

    public void SetDescriptor(int index, ulong address, uint length, ushort flags, ushort next)
    {
        var entry = Descriptors[(16 * index)..];
        BinaryPrimitives.WriteUInt64LittleEndian(entry, address);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[12..], flags);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[14..], next);
    }

    /// <summary>The id of a used entry, published or not.</summary>
    public uint UsedId(int slot) => BinaryPrimitives.ReadUInt32LittleEndian(Used[(4 + 8 * slot)..]);

    public void SetUsedId(int slot, uint id) => BinaryPrimitives.WriteUInt32LittleEndian(Used[(4 + 8 * slot)..], id);

    private Span<byte> Area(ulong userAddress, int length)
    {
        var layout = guest.Memory.Layout;
        return guest.Memory.At(layout.GuestAddress + (userAddress - layout.UserAddress), length);
    }
}
