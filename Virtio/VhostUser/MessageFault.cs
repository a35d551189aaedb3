namespace InterGuest.Virtio.VhostUser;

/// <summary>How a front-end broke the rules of vhost-user, or asked for what cannot be done.</summary>
public enum MessageFault
{
    /// <summary>It did not.</summary>
    None,

    // ---- the connection ends: what comes next on it cannot be understood, or is not heard ----

    /// <summary>A message of another protocol version than 1.</summary>
    WrongVersion,

    /// <summary>A body larger than any message has.</summary>
    MessageTooLarge,

    /// <summary>A body that is not as long as its request has it.</summary>
    WrongMessageSize,

    /// <summary>More or fewer file descriptors than belong to the message.</summary>
    WrongDescriptorCount,

    /// <summary>A message that was begun and not ended in time.</summary>
    MessageNotEnded,

    /// <summary>The front-end asks, and does not read the answers.</summary>
    RepliesNotRead,

    // ---- the message is refused, and the connection goes on ----

    /// <summary>A request, or a protocol feature, that was not offered.</summary>
    NotOffered,

    /// <summary>A device feature that was not offered.</summary>
    FeaturesNotOffered,

    /// <summary>A ring that the device does not have.</summary>
    RingOutOfRange,

    /// <summary>A ring size that is no power of two up to 32768.</summary>
    WrongRingSize,

    /// <summary>A ring index to begin with that is none.</summary>
    WrongRingBase,

    /// <summary>A ring state other than enabled and disabled.</summary>
    WrongRingState,

    /// <summary>A ring area that is not aligned (VIRTIO 1.2, 2.7).</summary>
    RingMisaligned,

    /// <summary>A doorbell that is not an eventfd.</summary>
    NotAnEventFd,

    /// <summary>Memory in something that is not a file.</summary>
    NotAMemoryFile,

    /// <summary>A socket for our requests that is not a socket.</summary>
    NotASocket,

    /// <summary>More memory regions than there may be.</summary>
    TooManyRegions,

    /// <summary>A memory region without bytes, or with more than there are addresses behind its first.</summary>
    RegionWraps,

    /// <summary>A memory region that overlaps another one.</summary>
    RegionOverlaps,

    /// <summary>A memory region that is not wholly inside its file.</summary>
    RegionOutsideFile,

    /// <summary>A memory region whose file could shrink under us, where that cannot be survived.</summary>
    RegionCanShrink,

    /// <summary>A memory region that the operating system does not map.</summary>
    RegionNotMapped,

    /// <summary>A log of dirty pages that is empty, or not wholly inside its file.</summary>
    LogOutsideFile,

    /// <summary>A write to a part of the device's configuration that cannot be written, or of what it cannot be.</summary>
    WrongConfig,

    /// <summary>An inflight region that is not one, or too small.</summary>
    WrongInflight,

    /// <summary>An MTU that no network has.</summary>
    WrongMtu,

    // ---- a ring cannot start yet ----

    /// <summary>The front-end shares no memory.</summary>
    NoSharedMemory,

    /// <summary>A ring's areas are not in the shared memory, or lie there unaligned.</summary>
    RingNotMapped,

    // ---- the port is served less for a while ----

    /// <summary>More messages, or connections, than any front-end needs.</summary>
    MessageFlood,
}
