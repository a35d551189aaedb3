namespace InterGuest.Virtio.Queues;

/// <summary>Where the three areas of a virtqueue are, in the front-end's addresses (VIRTIO 1.2, 2.7 and 2.8).</summary>
/// <param name="Descriptors">Descriptor table, or packed descriptor ring: 16 bytes per entry, aligned to 16.</param>
/// <param name="Available">Split: the available ring, 6 + 2 bytes per entry, aligned to 2. Packed: the driver's event suppression, 4 bytes, aligned to 4.</param>
/// <param name="Used">Split: the used ring, 6 + 8 bytes per entry, aligned to 4. Packed: the device's event suppression, 4 bytes, aligned to 4.</param>
public readonly record struct RingLayout(ulong Descriptors, ulong Available, ulong Used)
{
    /// <summary>Of a packed ring's event suppression structure (2.8.14).</summary>
    internal const ulong EventBytes = 4;

    internal static ulong DescriptorBytes(int size) => 16UL * (uint)size;

    /// <summary>flags, idx, ring, used_event.</summary>
    internal static ulong AvailableBytes(int size) => 6 + 2UL * (uint)size;

    /// <summary>flags, idx, ring, avail_event.</summary>
    internal static ulong UsedBytes(int size) => 6 + 8UL * (uint)size;

    internal static bool IsAligned(nuint descriptors, nuint available, nuint used, bool packed) =>
        descriptors % 16 == 0 && available % (packed ? 4u : 2u) == 0 && used % 4 == 0;
}
