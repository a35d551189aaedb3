namespace InterGuest.Switch.DataPath.Block;

/// <summary>What a client or a server of a disk did wrong, beyond the rules of its rings. Each is counted at its port.</summary>
public enum BlockFault
{
    // ---- the client: the request ends with an error, and the queue goes on (VIRTIO 1.2, 5.2.6) ----

    /// <summary>No header, or no byte for the status.</summary>
    BadRequest,

    /// <summary>Sectors that the disk does not have.</summary>
    OutOfRange,

    /// <summary>Not a number of whole blocks, or not at the start of one.</summary>
    NotWholeBlocks,

    /// <summary>A write, to a disk that is read-only.</summary>
    ReadOnlyDisk,

    /// <summary>A request that was not offered, or that nobody knows.</summary>
    UnsupportedRequest,

    /// <summary>The ranges of a DISCARD or WRITE_ZEROES: too many, too long, or with flags that are reserved.</summary>
    BadRange,

    /// <summary>More bytes than anybody sends at once.</summary>
    RequestTooLarge,

    // ---- the server (docs/block-serving.md, section 7) ----

    /// <summary>Not a message.</summary>
    BadMessage,

    /// <summary>An announcement of what cannot be, or of what cannot follow.</summary>
    BadAnnouncement,

    /// <summary>A reply of an earlier epoch.</summary>
    StaleEpoch,

    /// <summary>A reply to a request that has ended without it, as when a guest goes.</summary>
    LateReply,

    /// <summary>A reply to nothing.</summary>
    UnknownTag,

    /// <summary>A status that there is not.</summary>
    BadStatus,

    /// <summary>Less data than was asked for.</summary>
    ShortReply,

    /// <summary>More data than was asked for.</summary>
    LongReply,

    /// <summary>No reply in time.</summary>
    NoReply,
}
