namespace InterGuest.Virtio.Devices;

/// <summary>The names of the feature bits of a block device (VIRTIO 1.2, 5.2.3).</summary>
public static class BlockFeatures
{
    /// <summary>The first bit whose meaning does not depend on the device (VIRTIO 1.2, 2.2).</summary>
    private const int FirstRingBit = 24;

    private static readonly Dictionary<int, string> Names = new()
    {
        [1] = "VIRTIO_BLK_F_SIZE_MAX", [2] = "VIRTIO_BLK_F_SEG_MAX", [4] = "VIRTIO_BLK_F_GEOMETRY", [5] = "VIRTIO_BLK_F_RO",
        [6] = "VIRTIO_BLK_F_BLK_SIZE", [9] = "VIRTIO_BLK_F_FLUSH", [10] = "VIRTIO_BLK_F_TOPOLOGY", [11] = "VIRTIO_BLK_F_CONFIG_WCE",
        [12] = "VIRTIO_BLK_F_MQ", [13] = "VIRTIO_BLK_F_DISCARD", [14] = "VIRTIO_BLK_F_WRITE_ZEROES", [16] = "VIRTIO_BLK_F_LIFETIME",
        [17] = "VIRTIO_BLK_F_SECURE_ERASE", [18] = "VIRTIO_BLK_F_ZONED",
    };

    private static readonly Dictionary<int, string> None = [];

    private static ulong RingBits => ulong.MaxValue << FirstRingBit;

    /// <summary>The names of the bits, lowest first, as the specification writes them.</summary>
    public static IEnumerable<string> NamesOf(ulong features) => NamesOf(features, Names);

    /// <summary>The names of the bits of a device that has none of its own.</summary>
    public static IEnumerable<string> NamesOfRings(ulong features) => NamesOf(features, None);

    private static IEnumerable<string> NamesOf(ulong features, Dictionary<int, string> own)
    {
        for (int bit = 0; bit < FirstRingBit; bit++)
            if ((features >> bit & 1) != 0)
                yield return own.GetValueOrDefault(bit) ?? $"bit {bit}";
        foreach (string name in Features.NamesOfNet(features & RingBits))
            yield return name;
    }
}
