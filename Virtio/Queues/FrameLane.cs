using System.Runtime.CompilerServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>A queue of one format, for code that is compiled for each format by itself.</summary>
internal unsafe interface IFrameLane
{
    /// <summary>How many entries of the ring may be looked at, at most so many.</summary>
    int Ready(int most);

    /// <summary>Looks at a chain, so many entries behind the next, if it is one plain descriptor with these flags.</summary>
    bool TryPeek(int ahead, ushort flags, out byte* start, out uint length, out ChainTicket chain);

    /// <summary>Looks at the next chain if all of it is readable, and there is nothing to say of any of its buffers.</summary>
    bool TryPeekPieces(Span<Segment> pieces, out int count, out ulong length, out ChainTicket chain);

    /// <summary>Takes the next chains, each of which is one buffer to write, until they hold so many bytes, of which the first holds the least; or none.</summary>
    int TakeRooms(uint bytes, uint least, Span<Segment> rooms, Span<ChainTicket> chains);

    /// <summary>Notes that a chain that was looked at will be taken.</summary>
    void Mark(ChainTicket chain);

    /// <summary>Takes so many entries, of chains that were marked.</summary>
    void Take(int entries);

    /// <summary>Gives it back.</summary>
    void AddUsed(ChainTicket chain, uint written);

    /// <summary>Undoes taking one of the last ones, of which none was given back.</summary>
    void Untake(ChainTicket chain);

    /// <summary>Up to where chains are known to be available.</summary>
    ushort Known { get; }

    /// <summary>Forgets what was seen since then, unless it was taken.</summary>
    void Unlook(ushort known);
}

/// <summary>A split queue.</summary>
internal readonly unsafe struct SplitLane(SplitQueue queue) : IFrameLane
{
    public int Ready(int most) => queue.Ready(most);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPeek(int ahead, ushort flags, out byte* start, out uint length, out ChainTicket chain) =>
        queue.TryPeek(ahead, flags, out start, out length, out chain);

    public bool TryPeekPieces(Span<Segment> pieces, out int count, out ulong length, out ChainTicket chain) =>
        queue.TryPeekPieces(pieces, out count, out length, out chain);

    public int TakeRooms(uint bytes, uint least, Span<Segment> rooms, Span<ChainTicket> chains) => queue.TakeRooms(bytes, least, rooms, chains);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Mark(ChainTicket chain) => queue.Mark(chain);

    public void Take(int entries) => queue.Take(entries);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddUsed(ChainTicket chain, uint written) => queue.AddUsed(chain, written);

    public void Untake(ChainTicket chain) => queue.Untake(chain);

    public ushort Known => queue.KnownAvailable;

    public void Unlook(ushort known) => queue.Unlook(known);
}

/// <summary>A packed queue.</summary>
internal readonly unsafe struct PackedLane(PackedQueue queue) : IFrameLane
{
    public int Ready(int most) => queue.Ready(most);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPeek(int ahead, ushort flags, out byte* start, out uint length, out ChainTicket chain) =>
        queue.TryPeek(ahead, flags, out start, out length, out chain);

    public bool TryPeekPieces(Span<Segment> pieces, out int count, out ulong length, out ChainTicket chain) =>
        queue.TryPeekPieces(pieces, out count, out length, out chain);

    public int TakeRooms(uint bytes, uint least, Span<Segment> rooms, Span<ChainTicket> chains) => queue.TakeRooms(bytes, least, rooms, chains);

    // A descriptor is taken by going past it.
    public void Mark(ChainTicket chain)
    {
    }

    public void Take(int entries) => queue.Take(entries);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddUsed(ChainTicket chain, uint written) => queue.AddUsed(chain, written);

    public void Untake(ChainTicket chain) => queue.Untake(chain);

    // Each descriptor tells of itself alone, when it is read.
    public ushort Known => 0;

    public void Unlook(ushort known)
    {
    }
}
