using System.Runtime.InteropServices;

namespace InterGuest.Virtio.Queues;

/// <summary>A descriptor of a split virtqueue, as it lies in guest memory (VIRTIO 1.2, 2.7.5). Little-endian.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal struct Descriptor
{
    internal const ushort Next = 1, Write = 2, Indirect = 4;
    internal const int Bytes = 16;

    internal ulong Address;
    internal uint Length;
    internal ushort Flags;
    internal ushort NextIndex;
}
