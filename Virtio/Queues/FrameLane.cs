using System.Runtime.CompilerServices;

namespace InterGuest.Virtio.Queues;

/// <summary>A queue of one format, for code that is compiled for each format by itself.</summary>
internal unsafe interface IFrameLane
{
    /// <summary>Looks at the next chain if it is one plain descriptor with these flags.</summary>
    bool TryPeek(ushort flags, out byte* start, out uint length, out ChainTicket chain);

    /// <summary>Takes what was looked at.</summary>
    void Take(ChainTicket chain);

    /// <summary>Gives it back.</summary>
    void AddUsed(ChainTicket chain, uint written);
}

/// <summary>A split queue.</summary>
internal readonly unsafe struct SplitLane(SplitQueue queue) : IFrameLane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPeek(ushort flags, out byte* start, out uint length, out ChainTicket chain) =>
        queue.TryPeek(flags, out start, out length, out chain);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(ChainTicket chain) => queue.Take(chain);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddUsed(ChainTicket chain, uint written) => queue.AddUsed(chain, written);
}

/// <summary>A packed queue.</summary>
internal readonly unsafe struct PackedLane(PackedQueue queue) : IFrameLane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPeek(ushort flags, out byte* start, out uint length, out ChainTicket chain) =>
        queue.TryPeek(flags, out start, out length, out chain);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(ChainTicket chain) => queue.Take(chain);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddUsed(ChainTicket chain, uint written) => queue.AddUsed(chain, written);
}
