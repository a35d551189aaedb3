using System.Runtime.CompilerServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// An indirect descriptor table in the memory of a guest that may be hostile (VIRTIO 1.2, 2.7.5.3 and 2.8.8): at any
/// address, even across two regions. Each entry is read once.
/// </summary>
internal readonly unsafe ref struct IndirectTable
{
    /// <summary>
    /// Entries that a table of a shorter queue may have all the same. The specification says no more than the queue has; but
    /// Linux fills tables as long as its request is, whatever the queue's size, and QEMU takes so many.
    /// </summary>
    internal const int MostForShortQueues = 1024;

    private readonly ulong _address;

    private IndirectTable(ulong address, uint entries) => (_address, Entries) = (address, entries);

    internal uint Entries { get; }

    /// <summary>Checks what a descriptor says of its table.</summary>
    internal static QueueFault Open(bool negotiated, int queueSize, ulong address, uint length, ushort flags, out IndirectTable table)
    {
        uint entries = length / Descriptor.Bytes;
        table = new IndirectTable(address, entries);
        return !negotiated ? QueueFault.IndirectNotNegotiated
            : (flags & Descriptor.Next) != 0 ? QueueFault.IndirectWithNext
            : length % Descriptor.Bytes != 0 || entries == 0 ? QueueFault.IndirectSize
            : entries > (uint)Math.Max(queueSize, MostForShortQueues) ? QueueFault.IndirectTooLong
            : address > ulong.MaxValue - length ? QueueFault.AddressNotMapped
            : QueueFault.None;
    }

    /// <summary>Where it lies, if all of it is in one region; else null.</summary>
    internal byte* Together(ref AddressTranslator memory) => memory.Map(_address, Entries * (ulong)Descriptor.Bytes);

    /// <summary>Reads both halves of an entry.</summary>
    internal bool TryRead(uint index, ref AddressTranslator memory, out ulong low, out ulong high)
    {
        ulong address = _address + index * Descriptor.Bytes;
        byte* entry = memory.Translate(address, out ulong available);
        if (available >= Descriptor.Bytes)
        {
            Snapshot(entry, out low, out high);
            return true;
        }
        byte* copy = stackalloc byte[Descriptor.Bytes];
        for (int i = 0; i < Descriptor.Bytes; i++)
        {
            byte* one = memory.Translate(address + (uint)i, out _);
            if (one == null)
            {
                low = high = 0;
                return false;
            }
            copy[i] = Volatile.Read(ref *one);
        }
        Snapshot(copy, out low, out high);
        return true;
    }

    /// <summary>Reads a descriptor, each half once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Snapshot(void* descriptor, out ulong low, out ulong high)
    {
        // Not Volatile: that needs alignment, which an indirect table's address need not have. The copies are locals, and
        // the loads are behind the acquire of the index.
        low = Unsafe.ReadUnaligned<ulong>(descriptor);
        high = Unsafe.ReadUnaligned<ulong>((byte*)descriptor + 8);
    }
}
