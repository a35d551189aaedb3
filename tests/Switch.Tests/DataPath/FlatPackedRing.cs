using System.Buffers.Binary;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>
/// A packed virtqueue whose entry i is always buffer i, as bytes (VIRTIO 1.2, 2.8), in the room of a <see cref="FlatRing"/>. What
/// the driver may spoil while the device has an entry are address, length and id: the flags are by what each knows of the other.
/// </summary>
internal sealed class FlatPackedRing
{
    /// <summary>Where a fresh ring begins (vhost-user, "Vring state").</summary>
    public const uint Fresh = 0x8000_8000;

    private const int Available = 1 << 7, Used = 1 << 15;

    private readonly DriverMemory _memory;
    private readonly ulong _at;
    private int _next;
    private int _used;
    private int _free;
    private bool _wrap;
    private bool _usedWrap;

    public FlatPackedRing(DriverMemory memory, ulong at, int size)
    {
        (_memory, _at, Size) = (memory, at, size);
        Reset();
    }

    public int Size { get; }

    public RingLayout Layout => new(_memory.UserAddress(_at), _memory.UserAddress(Events), _memory.UserAddress(Events + 4));

    private ulong Events => _at + 16 * (ulong)Size;

    /// <summary>Begins anew: nothing is available.</summary>
    public void Reset()
    {
        _memory.At(_at, 16 * Size + 8).Clear();
        (_next, _used, _free, _wrap, _usedWrap) = (0, 0, Size, true, true);
    }

    /// <summary>Makes available again what is used.</summary>
    /// <param name="bufferOf">Address, length and flags of an entry's buffer.</param>
    /// <returns>How many entries were used.</returns>
    public int Feed(Func<int, (ulong Address, uint Length, int Flags)> bufferOf)
    {
        int used = 0;
        for (; _free < Size && IsUsed(); used++, _free++)
            Step(ref _used, ref _usedWrap);
        for (; _free > 0; _free--)
        {
            var (address, length, flags) = bufferOf(_next);
            SetAddress(_next, address);
            Interlocked.MemoryBarrier(); // what is made available is there before
            ulong high = length | (ulong)_next << 32 | (ulong)(uint)(flags | (_wrap ? Available : Used)) << 48;
            BinaryPrimitives.WriteUInt64LittleEndian(Entry(_next, 8, 8), high);
            Step(ref _next, ref _wrap);
        }
        return used;
    }

    public void SetAddress(int index, ulong address) => BinaryPrimitives.WriteUInt64LittleEndian(Entry(index, 0, 8), address);

    public void SetLength(int index, uint length) => BinaryPrimitives.WriteUInt32LittleEndian(Entry(index, 8, 4), length);

    public void SetId(int index, ushort id) => BinaryPrimitives.WriteUInt16LittleEndian(Entry(index, 12, 2), id);

    /// <summary>Any byte of the ring and the event structures, whatever it is for.</summary>
    public void Spoil(int offset, byte value) => _memory.At(_at + (ulong)(offset % (16 * Size + 8)), 1)[0] = value;

    private bool IsUsed() =>
        (BinaryPrimitives.ReadUInt16LittleEndian(Entry(_used, 14, 2)) & (Available | Used)) == (_usedWrap ? Available | Used : 0);

    private void Step(ref int index, ref bool wrap)
    {
        if (++index < Size)
            return;
        (index, wrap) = (0, !wrap);
    }

    private Span<byte> Entry(int index, int offset, int bytes) => _memory.At(_at + 16 * (ulong)index + (ulong)offset, bytes);
}
