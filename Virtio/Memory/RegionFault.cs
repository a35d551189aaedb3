namespace InterGuest.Virtio.Memory;

/// <summary>Why a range of a peer's file cannot be mapped as its memory.</summary>
public enum RegionFault
{
    /// <summary>It can.</summary>
    None,

    /// <summary>It has no bytes, or more than there are addresses behind its first.</summary>
    Wraps,

    /// <summary>There are as many regions as there may be.</summary>
    TooMany,

    /// <summary>It overlaps another region, in the guest's addresses or the front-end's.</summary>
    Overlaps,

    /// <summary>The descriptor is not of a memory file.</summary>
    NotAFile,

    /// <summary>It is not wholly inside the file.</summary>
    OutsideFile,

    /// <summary>The file can shrink, and this processor has no guard against that.</summary>
    CanShrink,

    /// <summary>The operating system refused.</summary>
    NotMapped,
}
