using InterGuest.Switch.DataPath.Offload;

namespace InterGuest.Switch.DataPath;

/// <summary>Why a frame that a guest sent was not delivered.</summary>
public enum DropReason
{
    /// <summary>The port is not linked.</summary>
    NoLink,

    /// <summary>The link was set down by its owner.</summary>
    LinkDown,

    /// <summary>No guest runs at the other end.</summary>
    PeerNotRunning,

    /// <summary>The two guests have not agreed on features yet.</summary>
    Negotiating,

    /// <summary>The guest disabled the queue it sent on.</summary>
    QueueDisabled,

    /// <summary>The receiver had no free buffers for longer than the link holds frames.</summary>
    NoBuffers,

    /// <summary>The receiver's buffers cannot hold a frame of that length.</summary>
    TooLongForReceiver,

    /// <summary>Shorter than an Ethernet header, or without its own header.</summary>
    TooShort,

    /// <summary>Longer than any frame can be.</summary>
    TooLong,

    /// <summary>A virtio-net header that cannot be right.</summary>
    BadHeader,

    /// <summary>A descriptor chain that breaks the rules.</summary>
    BadChain,

    /// <summary>A packet that cannot have the offload that its virtio-net header asks for.</summary>
    BadOffload,

    /// <summary>A packet above the receiver's MTU that must not be cut.</summary>
    AboveMtu,
}

/// <summary>Frames and bytes that went one way, and those that did not, by reason. Written by one thread, read by any.</summary>
public sealed class TrafficCounters
{
    private readonly long[] _drops = new long[Enum.GetValues<DropReason>().Length];
    private long _frames;
    private long _bytes;

    /// <summary>Frames delivered.</summary>
    public long Frames => Volatile.Read(ref _frames);

    /// <summary>Bytes delivered, without virtio-net headers.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Of a link: what of it had to be translated.</summary>
    public TranslationCounters Translation { get; } = new();

    /// <summary>Frames dropped, by reason; only reasons that occurred.</summary>
    public IEnumerable<(DropReason Reason, long Count)> Drops =>
        Enum.GetValues<DropReason>().Select(r => (r, Volatile.Read(ref _drops[(int)r]))).Where(d => d.Item2 > 0);

    /// <summary>Counts frames delivered.</summary>
    public void Delivered(int frames, long bytes)
    {
        Volatile.Write(ref _frames, _frames + frames);
        Volatile.Write(ref _bytes, _bytes + bytes);
    }

    /// <summary>Counts a frame dropped.</summary>
    public void Dropped(DropReason reason) => Volatile.Write(ref _drops[(int)reason], _drops[(int)reason] + 1);
}
