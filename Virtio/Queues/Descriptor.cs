using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace InterGuest.Virtio.Queues;

/// <summary>A descriptor of a split virtqueue, as it lies in guest memory (VIRTIO 1.2, 2.7.5). Little-endian.</summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct Descriptor
{
    internal const ushort Next = 1, Write = 2, Indirect = 4;
    internal const int Bytes = 16;

    internal ulong Address;
    internal uint Length;
    internal ushort Flags;
    internal ushort NextIndex;

    /// <summary>Makes one of the two halves of a snapshot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Descriptor From(ulong low, ulong high) => new()
    {
        Address = low,
        Length = (uint)high,
        Flags = (ushort)(high >> 32),
        NextIndex = (ushort)(high >> 48),
    };
}

/// <summary>A descriptor of a packed virtqueue (2.8.13); flags as in <see cref="Descriptor"/>, and two more.</summary>
[StructLayout(LayoutKind.Sequential, Size = Descriptor.Bytes)]
internal struct PackedDescriptor
{
    internal const ushort Available = 1 << 7, Used = 1 << 15;

    internal ulong Address;
    internal uint Length;
    internal ushort Id;
    internal ushort Flags;

    /// <summary>Makes one of the two halves of a snapshot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PackedDescriptor From(ulong low, ulong high) => new()
    {
        Address = low,
        Length = (uint)high,
        Id = (ushort)(high >> 32),
        Flags = (ushort)(high >> 48),
    };

    /// <summary>The second half, to be stored at once.</summary>
    internal static ulong High(uint length, ushort id, ushort flags) => length | (ulong)id << 32 | (ulong)flags << 48;
}
