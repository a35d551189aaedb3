namespace InterGuest.Virtio.Memory;

/// <summary>
/// What one ring notes in its guest's <see cref="DirtyLog"/>. The buffers that were written, if the front-end asked for that
/// (VHOST_F_LOG_ALL), and the ring's own used entries (VHOST_VRING_F_LOG). Belongs to the thread that has the ring.
/// </summary>
/// <param name="log">Held by the port as long as the ring runs.</param>
/// <param name="memory">The guest's memory, as the ring has it.</param>
/// <param name="buffers">Whether writes to buffers are noted.</param>
/// <param name="usedRing">Guest address of the used ring, if writes to it are noted.</param>
public sealed unsafe class RingLog(DirtyLog log, GuestMemory memory, bool buffers, ulong? usedRing)
{
    private int _hint = -1;

    /// <summary>Notes that the first bytes of a chain's writable part were written. After the last write to them.</summary>
    /// <param name="writable">The start of the part.</param>
    /// <param name="written">How many bytes; at most those that remain there.</param>
    public void Wrote(SegmentCursor writable, ulong written)
    {
        if (!buffers)
            return;
        for (ulong left = Math.Min(written, writable.Remaining); left > 0;)
        {
            uint run = writable.Run((uint)Math.Min(left, uint.MaxValue));
            Wrote(writable.Here, run);
            writable.Skip(run);
            left -= run;
        }
    }

    /// <summary>Notes a write into the used ring of a split virtqueue.</summary>
    /// <param name="offset">Of its first byte, from the start of the used ring.</param>
    /// <param name="length">Bytes.</param>
    public void WroteUsed(ulong offset, ulong length)
    {
        if (usedRing is { } start)
            log.Mark(unchecked(start + offset), length);
    }

    /// <summary>Notes a write to a packed virtqueue's descriptors or event area, wherever the guest has them.</summary>
    internal void WroteRing(byte* start, uint length)
    {
        if (usedRing != null)
            Wrote(start, length);
    }

    private void Wrote(byte* start, uint length)
    {
        if (memory.TryGuestAddress(start, ref _hint, out ulong guestAddress))
            log.Mark(guestAddress, length);
    }
}
