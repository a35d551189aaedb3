using System.Runtime.CompilerServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// The descriptors of a split virtqueue, whose driver may be hostile (VIRTIO 1.2, 2.7.5): follows chains through them and
/// through indirect tables. Each descriptor is read once.
/// </summary>
internal sealed unsafe class DescriptorTable(GuestMemory memory, Descriptor* table, int size, bool indirect)
{
    private int _hint = -1;

    /// <summary>Walks the chain that begins at <paramref name="head"/>, checks it, and loads it.</summary>
    /// <returns>What is wrong with it; the chain is then loaded in part.</returns>
    public QueueFault Load(Chain chain, ushort head)
    {
        chain.Clear();
        int index = head;
        for (int steps = 0; steps < size; steps++)
        {
            Descriptor descriptor = Snapshot(table + index);
            if ((descriptor.Flags & Descriptor.Indirect) != 0)
                return LoadIndirect(chain, descriptor);
            var fault = chain.Append(memory, ref _hint, descriptor.Address, descriptor.Length, (descriptor.Flags & Descriptor.Write) != 0);
            if (fault != QueueFault.None || (descriptor.Flags & Descriptor.Next) == 0)
                return fault;
            index = descriptor.NextIndex;
            if (index >= size)
                return QueueFault.NextOutOfRange;
        }
        return QueueFault.ChainTooLong;
    }

    private QueueFault LoadIndirect(Chain chain, in Descriptor indirectTable)
    {
        if (!indirect)
            return QueueFault.IndirectNotNegotiated;
        if ((indirectTable.Flags & Descriptor.Next) != 0)
            return QueueFault.IndirectWithNext;
        uint entries = indirectTable.Length / Descriptor.Bytes;
        if (indirectTable.Length % Descriptor.Bytes != 0 || entries is 0 or > SplitQueue.MaxSize)
            return QueueFault.IndirectSize;
        if (indirectTable.Address > ulong.MaxValue - indirectTable.Length)
            return QueueFault.AddressNotMapped;

        uint index = 0;
        for (uint steps = 0; steps < entries; steps++)
        {
            if (!TryReadEntry(indirectTable.Address + index * Descriptor.Bytes, out Descriptor descriptor))
                return QueueFault.AddressNotMapped;
            if ((descriptor.Flags & Descriptor.Indirect) != 0)
                return QueueFault.IndirectNested;
            var fault = chain.Append(memory, ref _hint, descriptor.Address, descriptor.Length, (descriptor.Flags & Descriptor.Write) != 0);
            if (fault != QueueFault.None || (descriptor.Flags & Descriptor.Next) == 0)
                return fault;
            index = descriptor.NextIndex;
            if (index >= entries)
                return QueueFault.NextOutOfRange;
        }
        return QueueFault.ChainTooLong;
    }

    /// <summary>An entry of an indirect table, which may lie at any address, even across two regions.</summary>
    private bool TryReadEntry(ulong address, out Descriptor descriptor)
    {
        byte* entry = memory.Translate(address, ref _hint, out ulong available);
        if (available >= Descriptor.Bytes)
        {
            descriptor = Snapshot((Descriptor*)entry);
            return true;
        }
        Descriptor copy = default;
        for (int i = 0; i < Descriptor.Bytes; i++)
        {
            byte* one = memory.Translate(address + (uint)i, ref _hint, out _);
            if (one == null)
            {
                descriptor = default;
                return false;
            }
            ((byte*)&copy)[i] = Volatile.Read(ref *one);
        }
        descriptor = copy;
        return true;
    }

    /// <summary>Reads a descriptor out of guest memory, each half once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Descriptor Snapshot(Descriptor* descriptor)
    {
        // Not Volatile: that needs alignment, which an indirect table's address need not have. The copy is a local, and
        // the loads are behind the acquire of the index.
        ulong low = Unsafe.ReadUnaligned<ulong>(descriptor);
        ulong high = Unsafe.ReadUnaligned<ulong>((byte*)descriptor + 8);
        return new Descriptor
        {
            Address = low,
            Length = (uint)high,
            Flags = (ushort)(high >> 32),
            NextIndex = (ushort)(high >> 48),
        };
    }
}
