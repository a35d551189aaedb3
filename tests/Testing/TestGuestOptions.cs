namespace InterGuest.Testing;

/// <summary>What kind of guest.</summary>
public sealed record TestGuestOptions
{
    /// <summary>The features it accepts.</summary>
    public ulong Features { get; init; } = TestGuest.PlainFeatures;

    /// <summary>Bytes of memory.</summary>
    public long MemoryBytes { get; init; } = 16 << 20;

    /// <summary>The file behind its memory; null: a memfd, sealed. The guest owns it.</summary>
    public Virtio.Native.FileDescriptor? MemoryFile { get; init; }

    /// <summary>Where its memory begins. Not where it is mapped, so that addresses of two kinds are never the same.</summary>
    public ulong GuestAddress { get; init; } = 0x4000_0000;

    /// <summary>Pairs of queues.</summary>
    public int QueuePairs { get; init; } = 1;

    /// <summary>Entries per queue.</summary>
    public int QueueSize { get; init; } = 64;

    /// <summary>Entries of indirect tables; 0: none.</summary>
    public int MaxIndirect { get; init; }

    /// <summary>Receive buffers posted at the start; -1: as many as the queue has entries.</summary>
    public int ReceiveBuffers { get; init; } = -1;

    /// <summary>Bytes of each.</summary>
    public uint ReceiveBufferBytes { get; init; } = 2048;
}
