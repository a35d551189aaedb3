using System.Buffers.Binary;
using InterGuest.Fuzz.Engine;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Guests;

/// <summary>Where a case puts a queue: offsets in the file, and the addresses that the front-end gives.</summary>
/// <param name="Size">Entries.</param>
/// <param name="Descriptors">Offset of the descriptor table.</param>
/// <param name="Available">Offset of the available ring.</param>
/// <param name="Used">Offset of the used ring.</param>
/// <param name="Layout">The same by the front-end's addresses.</param>
internal sealed record QueuePlace(int Size, int Descriptors, int Available, int Used, RingLayout Layout);

/// <summary>Lays out a guest's regions, and makes the addresses and descriptors that its driver gives.</summary>
/// <param name="Arena">The memory.</param>
/// <param name="Apart">Buffers lie apart from rings and from each other's file bytes, so that no write changes what is read later.</param>
internal sealed record GuestPlan(Arena Arena, bool Apart)
{
    internal const int Next = 1, Write = 2, Indirect = 4;
    private const ulong RingsAt = 0x10_0000, TablesAt = 0x20_0000, BuffersAt = 0x4000_0000, UserOffset = 0x5500_0000_0000;
    private const int TableBytes = 12288, MaxTable = 400;

    private readonly List<RegionLayout> _buffers = [];
    private int _tables;

    /// <summary>The regions for buffers.</summary>
    public IReadOnlyList<RegionLayout> Buffers => _buffers;

    /// <summary>Makes the regions and a place for a queue of that size.</summary>
    public QueuePlace Lay(Input input, int size)
    {
        Arena.Reset();
        int descriptors = 16 * input.Between(1, 4);
        int available = descriptors + 16 * size + 2 * input.Below(8);
        int used = (available + 6 + 2 * size + 3) / 4 * 4 + 4 * input.Below(4);
        int end = used + 6 + 8 * size + input.Below(3);
        ulong user = UserOffset + (ulong)input.Below(3) * 4096;
        Arena.TryAdd(new RegionLayout(RingsAt, (ulong)(end - descriptors), user, (ulong)descriptors));
        if (Apart)
        {
            _tables = 0;
            Arena.TryAdd(new RegionLayout(TablesAt, TableBytes, UserOffset + 0x800_0000, (ulong)end));
            end += TableBytes;
        }
        LayBuffers(input, end);
        var layout = new RingLayout(user, user + (ulong)(available - descriptors), user + (ulong)(used - descriptors));
        return new QueuePlace(size, descriptors, available, used, layout);
    }

    /// <summary>An address and a length for a buffer: mostly in memory, often at its borders.</summary>
    public (ulong Address, uint Length) Buffer(Input input)
    {
        if (!Apart && input.Chance(4))
            return (input.U64(), input.U32());
        var region = !Apart && input.Chance(5) ? Arena.Regions[input.Below(Arena.Regions.Count)] : _buffers[input.Below(_buffers.Count)];
        ulong offset = input.Below(4) switch
        {
            0 => 0,
            1 => region.Size - 1 - (ulong)input.Below((int)Math.Min(region.Size, 32)),
            _ => (ulong)input.Below((int)region.Size),
        };
        uint toEnd = (uint)(region.Size - offset);
        bool adjoins = Arena.Find(region.GuestAddress + region.Size).Offset >= 0;
        uint length = input.Below(8) switch
        {
            0 => 0,
            1 => (uint)input.Below(Apart ? 128 : 2),
            2 => toEnd,
            3 when adjoins => toEnd + (uint)input.Below(64),
            3 when !Apart => toEnd + 1,
            4 => (uint)input.Below(16),
            5 when !Apart => input.U32(),
            _ => (uint)input.Below((int)toEnd + 1),
        };
        if (Apart && !adjoins && !input.Chance(2))
            length = Math.Min(length, toEnd);
        return (region.GuestAddress + offset, length);
    }

    /// <summary>An address for an indirect table: any byte of a buffer, and so across regions, or where it is apart from them.</summary>
    public ulong Table(Input input, int bytes)
    {
        if (!Apart)
            return Buffer(input).Address;
        ulong address = TablesAt + (ulong)_tables;
        _tables = (_tables + bytes) % (TableBytes - MaxTable);
        return address + (ulong)input.Below(4);
    }

    /// <summary>The bytes of a descriptor.</summary>
    public static byte[] Descriptor(ulong address, uint length, int flags, int next)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, address);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), length);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(12), (ushort)flags);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(14), (ushort)next);
        return bytes;
    }

    private void LayBuffers(Input input, int at)
    {
        _buffers.Clear();
        ulong guest = BuffersAt, user = UserOffset + 0x1000_0000;
        for (int count = input.Between(1, 7); count > 0; count--)
        {
            int left = Arena.Bytes - at - 64;
            int size = Math.Min(left, input.Below(4) switch { 0 => input.Between(1, 24), 1 => 4096, _ => input.Between(1, 5000) });
            if (size <= 0)
                return;
            // In the file: behind a gap, or over bytes that another region has, too.
            int offset = !Apart && input.Chance(6) ? input.Below(Arena.Bytes - size) : at + input.Below(40);
            // To the guest: next to the one before, or behind a gap.
            guest += input.Chance(60) ? 0UL : (ulong)input.Pick(1, 15, 4096, 1 << 20);
            user += 0x10_0000;
            var region = new RegionLayout(guest, (ulong)size, user, (ulong)offset);
            if (Arena.TryAdd(region))
                _buffers.Add(region);
            guest += (ulong)size;
            at = Math.Max(at, offset + size);
        }
    }
}
