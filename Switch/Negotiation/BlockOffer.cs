using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Negotiation;

/// <summary>What a block port offers its guest: a pure function of what the disk's server announced.</summary>
public static class BlockOffer
{
    private const ulong Always =
        Features.BlockSegmentMax | Features.BlockSize | Features.BlockTopology | Features.AnyLayout
        | Features.RingIndirectDescriptors | Features.RingEventIndex | Features.VhostUserProtocolFeatures | Features.Version1;

    /// <summary>The features to offer.</summary>
    /// <param name="queues">Of the port.</param>
    /// <param name="disk">What the server announced; null if it is not known yet.</param>
    /// <param name="offeredBefore">What this port has offered already: never taken back, as of a network port.</param>
    public static ulong For(int queues, BlockAnnouncement? disk, ulong offeredBefore) =>
        Always | (queues > 1 ? Features.BlockMultiqueue : 0) | Of(disk?.Flags ?? BlockAnnouncementFlags.None) | offeredBefore;

    private static ulong Of(BlockAnnouncementFlags disk) =>
        (disk.HasFlag(BlockAnnouncementFlags.ReadOnly) ? Features.BlockReadOnly : 0)
        // A driver that refuses FLUSH wants its writes to be durable, and can have that of a cached server, too.
        | (disk.HasFlag(BlockAnnouncementFlags.Cached) ? Features.BlockFlush | Features.BlockConfigWriteback : 0)
        | (disk.HasFlag(BlockAnnouncementFlags.Discard) ? Features.BlockDiscard : 0)
        | (disk.HasFlag(BlockAnnouncementFlags.WriteZeroes) ? Features.BlockWriteZeroes : 0);
}
