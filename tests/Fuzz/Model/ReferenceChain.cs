using System.Buffers.Binary;
using InterGuest.Fuzz.Guests;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Model;

/// <summary>
/// What a descriptor chain is, written down from VIRTIO 1.2, 2.7.5, without regard to speed: the pieces of memory in order, or
/// the rules that the first wrong descriptor breaks. Where it breaks several, any of them is a right answer.
/// </summary>
internal sealed class ReferenceChain
{
    private readonly Arena _arena;
    private readonly HashSet<QueueFault> _faults = [];
    private readonly int _longestTable;

    // 2.7.5.3.1 says the queue's size; a table of 1024 entries is taken by a shorter queue, too.
    private ReferenceChain(Arena arena, int queueSize) => (_arena, _longestTable) = (arena, Math.Max(queueSize, 1024));

    /// <summary>For the device to read.</summary>
    public List<Piece> Readable { get; } = [];

    /// <summary>For the device to write.</summary>
    public List<Piece> Writable { get; } = [];

    public long ReadableBytes { get; private set; }

    public long WritableBytes { get; private set; }

    /// <summary>Whether it breaks no rule.</summary>
    public bool IsGood => _faults.Count == 0;

    /// <summary>Whether this is a right answer for it.</summary>
    public bool Agrees(QueueFault fault) => fault == QueueFault.None ? IsGood : _faults.Contains(fault);

    public override string ToString() => IsGood ? $"{ReadableBytes} readable, {WritableBytes} writable bytes" : string.Join(" or ", _faults);

    /// <summary>Follows a chain in what the memory should hold.</summary>
    public static ReferenceChain Walk(Arena arena, QueuePlace queue, bool indirect, int head)
    {
        var chain = new ReferenceChain(arena, queue.Size);
        chain.Follow(i => arena.Expected.AsSpan(queue.Descriptors + 16 * i, 16).ToArray(), head, queue.Size, indirect, inTable: false);
        return chain;
    }

    /// <summary>Follows a chain of a packed ring (2.8): in entries one behind the other, to its end even if it is bad.</summary>
    /// <param name="arena">The memory.</param>
    /// <param name="ring">The ring.</param>
    /// <param name="indirect">Whether tables are allowed.</param>
    /// <param name="index">Of the first entry.</param>
    /// <param name="most">Entries that it may take.</param>
    /// <param name="ticket">Its id and its entries.</param>
    /// <returns>Null: it has no end.</returns>
    public static ReferenceChain? WalkPacked(Arena arena, QueuePlace ring, bool indirect, int index, int most, out ChainTicket ticket)
    {
        var chain = new ReferenceChain(arena, ring.Size);
        for (int entries = 1; entries <= most; entries++, index = (index + 1) % ring.Size)
        {
            byte[] bytes = arena.Expected.AsSpan(ring.Descriptors + 16 * index, 16).ToArray();
            if (chain.IsGood)
                chain.AppendPacked(bytes, indirect, alone: entries == 1);
            ticket = new ChainTicket(BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(12)), (ushort)entries);
            if ((PackedFlags(bytes) & GuestPlan.Next) == 0)
                return chain;
        }
        ticket = default;
        return null;
    }

    /// <summary>The bytes of pieces, one behind the other.</summary>
    public byte[] Read(IEnumerable<Piece> pieces) => [.. pieces.SelectMany(p => _arena.Expected[p.Offset..(p.Offset + p.Length)])];

    private void Follow(Func<int, byte[]?> entry, int index, int count, bool indirect, bool inTable)
    {
        for (int steps = 1; ; steps++)
        {
            if (entry(index) is not { } bytes)
            {
                _faults.Add(QueueFault.AddressNotMapped);
                return;
            }
            ulong address = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8));
            int flags = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(12)), next = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(14));
            if ((flags & GuestPlan.Indirect) != 0)
            {
                EnterTable(address, length, flags, indirect, inTable);
                return;
            }
            Append(address, length, (flags & GuestPlan.Write) != 0);
            if ((flags & GuestPlan.Next) != 0)
            {
                if (next >= count)
                    _faults.Add(QueueFault.NextOutOfRange);
                if (steps >= count)
                    _faults.Add(QueueFault.ChainTooLong);
            }
            if (_faults.Count > 0 || (flags & GuestPlan.Next) == 0)
                return;
            index = next;
        }
    }

    private void EnterTable(ulong address, uint length, int flags, bool indirect, bool inTable)
    {
        if (inTable)
            _faults.Add(QueueFault.IndirectNested);
        CheckTable(address, length, flags, indirect);
        if (_faults.Count == 0)
            Follow(i => TableEntry(address + 16 * (ulong)i), 0, (int)(length / 16), indirect, inTable: true);
    }

    private void CheckTable(ulong address, uint length, int flags, bool indirect)
    {
        if (!indirect)
            _faults.Add(QueueFault.IndirectNotNegotiated);
        if ((flags & GuestPlan.Next) != 0)
            _faults.Add(QueueFault.IndirectWithNext);
        if (length % 16 != 0 || length / 16 == 0)
            _faults.Add(QueueFault.IndirectSize);
        if (length / 16 > _longestTable)
            _faults.Add(QueueFault.IndirectTooLong);
        if (address > ulong.MaxValue - length)
            _faults.Add(QueueFault.AddressNotMapped);
    }

    private void AppendPacked(byte[] bytes, bool indirect, bool alone)
    {
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8));
        int flags = PackedFlags(bytes);
        if ((flags & GuestPlan.Indirect) == 0)
        {
            Append(address, length, (flags & GuestPlan.Write) != 0);
            return;
        }
        CheckTable(address, length, flags, indirect);
        if (!alone)
            _faults.Add(QueueFault.IndirectWithNext);
        for (uint i = 0; IsGood && i < length / 16; i++)
            AppendEntry(TableEntry(address + 16 * i));
    }

    /// <summary>2.8.8: of a table's entries all are used, and of their flags WRITE alone counts.</summary>
    private void AppendEntry(byte[]? entry)
    {
        if (entry == null)
            _faults.Add(QueueFault.AddressNotMapped);
        else if ((PackedFlags(entry) & GuestPlan.Indirect) != 0)
            _faults.Add(QueueFault.IndirectNested);
        else
            Append(BinaryPrimitives.ReadUInt64LittleEndian(entry), BinaryPrimitives.ReadUInt32LittleEndian(entry.AsSpan(8)), (PackedFlags(entry) & GuestPlan.Write) != 0);
    }

    private static int PackedFlags(byte[] bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(14));

    private byte[]? TableEntry(ulong address)
    {
        byte[] entry = new byte[16];
        for (int i = 0; i < 16; i++)
        {
            int offset = _arena.Find(address + (uint)i).Offset;
            if (offset < 0)
                return null;
            entry[i] = _arena.Expected[offset];
        }
        return entry;
    }

    private void Append(ulong address, uint length, bool writable)
    {
        if (!writable && WritableBytes > 0)
            _faults.Add(QueueFault.ReadableAfterWritable);
        if (ReadableBytes + WritableBytes + length > uint.MaxValue)
            _faults.Add(QueueFault.TooManyBytes);
        var pieces = writable ? Writable : Readable;
        for (long left = length; left > 0;)
        {
            var (offset, available) = _arena.Find(address);
            if (offset < 0)
            {
                _faults.Add(QueueFault.AddressNotMapped);
                return;
            }
            int here = (int)Math.Min(left, available);
            pieces.Add(new Piece(offset, here));
            address += (uint)here;
            left -= here;
        }
        if (writable)
            WritableBytes += length;
        else
            ReadableBytes += length;
    }
}
