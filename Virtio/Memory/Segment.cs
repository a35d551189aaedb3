using System.Runtime.CompilerServices;

namespace InterGuest.Virtio.Memory;

/// <summary>A range of host memory that a translation has found to be a guest's.</summary>
internal unsafe struct Segment
{
    internal byte* Start;
    internal uint Length;

    /// <summary>Makes it this range.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Set(byte* start, uint length)
    {
        // Each by itself, as each is read: a copy of the whole would have to wait until both are stored.
        Start = start;
        Length = length;
    }

    /// <summary>Moves past bytes at its start.</summary>
    /// <param name="bytes">At most <see cref="Length"/>.</param>
    internal void Skip(uint bytes)
    {
        Start += bytes;
        Length -= bytes;
    }
}
