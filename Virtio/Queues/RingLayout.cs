namespace InterGuest.Virtio.Queues;

/// <summary>Where the three areas of a split virtqueue are, in the front-end's addresses (VIRTIO 1.2, 2.7).</summary>
/// <param name="Descriptors">The descriptor table: 16 bytes per entry, aligned to 16.</param>
/// <param name="Available">The available ring: 6 + 2 bytes per entry, aligned to 2.</param>
/// <param name="Used">The used ring: 6 + 8 bytes per entry, aligned to 4.</param>
public readonly record struct RingLayout(ulong Descriptors, ulong Available, ulong Used)
{
    internal static ulong DescriptorBytes(int size) => 16UL * (uint)size;

    /// <summary>flags, idx, ring, used_event.</summary>
    internal static ulong AvailableBytes(int size) => 6 + 2UL * (uint)size;

    /// <summary>flags, idx, ring, avail_event.</summary>
    internal static ulong UsedBytes(int size) => 6 + 8UL * (uint)size;

    internal static bool IsAligned(nuint descriptors, nuint available, nuint used) =>
        descriptors % 16 == 0 && available % 2 == 0 && used % 4 == 0;
}
