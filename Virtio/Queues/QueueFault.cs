namespace InterGuest.Virtio.Queues;

/// <summary>How a driver broke the rules of a virtqueue.</summary>
public enum QueueFault
{
    /// <summary>It did not.</summary>
    None,

    // ---- a bad chain: it is given back with length 0, and the queue goes on ----

    /// <summary>A descriptor names a next one outside its table (2.7.5).</summary>
    NextOutOfRange,

    /// <summary>More descriptors than the table has: a loop (2.7.5.1). In a packed ring, where nothing tells its end: a bad ring.</summary>
    ChainTooLong,

    /// <summary>An indirect table, but VIRTIO_F_INDIRECT_DESC was not negotiated (2.7.5.3.1).</summary>
    IndirectNotNegotiated,

    /// <summary>An indirect table inside an indirect table (2.7.5.3.1).</summary>
    IndirectNested,

    /// <summary>A descriptor with both INDIRECT and NEXT (2.7.5.3.1).</summary>
    IndirectWithNext,

    /// <summary>An indirect table of no entries, or with a part of an entry (2.7.5.3).</summary>
    IndirectSize,

    /// <summary>An indirect table of more entries than the queue has, and than 1024, as real drivers of short queues do (2.7.5.3.1).</summary>
    IndirectTooLong,

    /// <summary>A readable descriptor behind a writable one (2.7.4.2).</summary>
    ReadableAfterWritable,

    /// <summary>A buffer, or an indirect table, that is not in guest memory.</summary>
    AddressNotMapped,

    /// <summary>A chain of 4 GiB or more (2.7.5.2).</summary>
    TooManyBytes,

    /// <summary>A chain over more pieces of memory than we follow.</summary>
    TooManySegments,

    /// <summary>A descriptor without a byte: no fault, the chain goes its way; but counted, as no driver makes any.</summary>
    EmptyDescriptor,

    /// <summary>A receive buffer that cannot hold even a header, or nothing at all (5.1.6.3.1).</summary>
    BufferTooSmall,

    // ---- a bad ring: nothing in it can be believed, and the queue stops ----

    /// <summary>The available index moved by more than the queue's size (2.7.6).</summary>
    AvailableIndexJumped,

    /// <summary>The guest's memory file was cut short while we had it mapped.</summary>
    MemoryLost,

    /// <summary>The available ring names a descriptor outside the table (2.7.6).</summary>
    HeadOutOfRange,

    /// <summary>A chain made available again before it was given back (2.7.13).</summary>
    HeadInFlight,

    /// <summary>More chains, or entries of a packed ring, than the queue has (2.7.13, 2.8.21).</summary>
    TooManyInFlight,
}

/// <summary>What came of taking the next chain from a virtqueue.</summary>
public enum PopResult
{
    /// <summary>The driver has made nothing available.</summary>
    Empty,

    /// <summary>The chain is checked and loaded.</summary>
    Chain,

    /// <summary>The driver broke the rules within a chain: give back its head with length 0, and go on.</summary>
    BadChain,

    /// <summary>The driver broke the rules of the ring: stop this queue.</summary>
    BadRing,
}
