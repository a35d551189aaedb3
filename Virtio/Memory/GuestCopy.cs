namespace InterGuest.Virtio.Memory;

/// <summary>The one copy: bytes from one guest's memory straight into another's.</summary>
public static unsafe class GuestCopy
{
    /// <summary>Copies up to <paramref name="count"/> bytes and moves both cursors past them.</summary>
    /// <returns>The bytes copied: the least of <paramref name="count"/>, what the source has and what the target holds.</returns>
    /// <remarks>
    /// Both guests may change their memory meanwhile; that changes which bytes arrive, never how many or where. When two
    /// ranges overlap (a guest linked to itself), the bytes that arrive are unspecified.
    /// </remarks>
    public static ulong Copy(ref SegmentCursor source, ref SegmentCursor target, ulong count)
    {
        count = Math.Min(count, Math.Min(source.Remaining, target.Remaining));
        for (ulong left = count; left > 0;)
        {
            uint run = target.Run(source.Run((uint)Math.Min(left, uint.MaxValue)));
            // SAFETY: both cursors vouch for `run` bytes: each lies inside a segment that a chain's walk translated, and
            // the mappings are held by the queues that the chains came from.
            Buffer.MemoryCopy(source.Here, target.Here, run, run);
            source.Skip(run);
            target.Skip(run);
            left -= run;
        }
        return count;
    }
}
