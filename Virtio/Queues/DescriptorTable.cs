using System.Runtime.CompilerServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// The descriptors of a split virtqueue, whose driver may be hostile (VIRTIO 1.2, 2.7.5): follows chains through them and
/// through indirect tables. Each descriptor is read once.
/// </summary>
internal sealed unsafe class DescriptorTable(GuestMemory memory, Descriptor* table, int size, bool indirect)
{
    private AddressTranslator _memory = new(memory);

    // Tables lie apart from what they tell of, mostly.
    private AddressTranslator _tables = new(memory);

    /// <summary>Walks the chain that begins at <paramref name="head"/>, checks it, and loads it.</summary>
    /// <returns>What is wrong with it; the chain is then loaded in part.</returns>
    public QueueFault Load(Chain chain, ushort head)
    {
        chain.Clear();
        uint index = head;
        for (int steps = 0; steps < size; steps++)
        {
            var descriptor = Read(index);
            if ((descriptor.Flags & Descriptor.Indirect) != 0)
                return LoadIndirect(chain, descriptor);
            if (!Step(chain, descriptor, (uint)size, ref index, out var fault))
                return fault;
        }
        return QueueFault.ChainTooLong;
    }

    /// <summary>Reads a descriptor, each half once.</summary>
    /// <param name="index">Inside the table.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Descriptor Read(uint index) => Read(table + index);

    /// <summary>Begins to fetch a descriptor.</summary>
    /// <param name="index">Inside the table.</param>
    public void Fetch(int index) => CacheLines.FetchOne((byte*)(table + index));

    /// <summary>Walks the chain that begins at <paramref name="head"/> if it is plain: see <see cref="SplitQueue.TryPeekPieces"/>.</summary>
    public bool TryGather(ushort head, Span<Segment> pieces, out int count, out ulong length) =>
        TryGather<LastRegion>(head, pieces, out count, out length) || TryGather<AnyRegion>(head, pieces, out count, out length);

    /// <summary>Reads the chain anew: nothing is left of an attempt that failed.</summary>
    private bool TryGather<TMapping>(ushort head, Span<Segment> pieces, out int count, out ulong length) where TMapping : struct, IMapping
    {
        (count, length) = (0, 0);
        var descriptor = Read(head);
        if (descriptor.Flags != Descriptor.Indirect)
            return TryGather<TMapping>(table, (uint)size, head, pieces, out count, out length);
        if (IndirectTable.Open(indirect, size, descriptor.Address, descriptor.Length, descriptor.Flags, out var opened) != QueueFault.None)
            return false;
        var entries = (Descriptor*)opened.Together(ref _tables);
        return entries != null && TryGather<TMapping>(entries, opened.Entries, 0, pieces, out count, out length);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryGather<TMapping>(Descriptor* entries, uint most, uint index, Span<Segment> pieces, out int count, out ulong length)
        where TMapping : struct, IMapping
    {
        (count, length) = (0, 0);
        // Locals: what is behind a reference goes through memory each time.
        int found = 0;
        ulong bytes = 0;
        while (found < pieces.Length)
        {
            var descriptor = Read(entries + index);
            byte* start = TMapping.Map(ref _memory, descriptor.Address, descriptor.Length);
            if ((descriptor.Flags & ~Descriptor.Next) != 0 || start == null || descriptor.Length == 0)
                return false;
            pieces[found++].Set(start, descriptor.Length);
            bytes += descriptor.Length;
            if (descriptor.Flags == 0)
            {
                (count, length) = (found, bytes);
                return true;
            }
            index = descriptor.NextIndex;
            if (index >= most || found == most)
                return false;
        }
        return false;
    }

    private QueueFault LoadIndirect(Chain chain, in Descriptor descriptor)
    {
        var fault = IndirectTable.Open(indirect, size, descriptor.Address, descriptor.Length, descriptor.Flags, out var entries);
        if (fault != QueueFault.None)
            return fault;
        uint index = 0;
        for (uint steps = 0; steps < entries.Entries; steps++)
        {
            if (!entries.TryRead(index, ref _tables, out ulong low, out ulong high))
                return QueueFault.AddressNotMapped;
            var entry = Descriptor.From(low, high);
            if ((entry.Flags & Descriptor.Indirect) != 0)
                return QueueFault.IndirectNested;
            if (!Step(chain, entry, entries.Entries, ref index, out fault))
                return fault;
        }
        return QueueFault.ChainTooLong;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Descriptor Read(Descriptor* at)
    {
        IndirectTable.Snapshot(at, out ulong low, out ulong high);
        return Descriptor.From(low, high);
    }

    /// <summary>Appends a buffer and goes to the next; false: the chain ends here, well or with a fault.</summary>
    private bool Step(Chain chain, in Descriptor descriptor, uint entries, ref uint index, out QueueFault fault)
    {
        fault = chain.Append(ref _memory, descriptor.Address, descriptor.Length, (descriptor.Flags & Descriptor.Write) != 0);
        if (fault != QueueFault.None || (descriptor.Flags & Descriptor.Next) == 0)
            return false;
        index = descriptor.NextIndex;
        if (index < entries)
            return true;
        fault = QueueFault.NextOutOfRange;
        return false;
    }
}
