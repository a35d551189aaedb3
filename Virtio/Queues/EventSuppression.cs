namespace InterGuest.Virtio.Queues;

/// <summary>
/// The structure by which each side of a packed virtqueue says when it wants to be notified (VIRTIO 1.2, 2.8.10 and
/// 2.8.14): a place in the ring and flags, 16 bits each, written and read at once.
/// </summary>
internal static class EventSuppression
{
    private const uint OffFlag = 1, AtDescriptor = 2, FlagsMask = 3;

    /// <summary>No notifications.</summary>
    internal const uint Off = OffFlag << 16;

    /// <summary>A notification once the descriptor there is passed; without VIRTIO_F_EVENT_IDX, at any.</summary>
    internal static uint At(RingCursor place, bool eventIndex) => eventIndex ? place.Word | AtDescriptor << 16 : 0;

    /// <summary>Whether the other side wants no notifications, wherever.</summary>
    internal static bool IsOff(uint wish) => (wish >> 16 & FlagsMask) == OffFlag;

    /// <summary>Whether the other side wants to hear of a move from <paramref name="before"/> to <paramref name="now"/>.</summary>
    /// <param name="wish">What it wrote.</param>
    /// <param name="eventIndex">Whether it may name a place.</param>
    /// <param name="now">The place behind what was added.</param>
    /// <param name="before">The index where that began, at most a ring's length ago.</param>
    /// <param name="size">Entries of the ring.</param>
    internal static bool Wants(uint wish, bool eventIndex, RingCursor now, ushort before, int size)
    {
        uint flags = wish >> 16 & FlagsMask;
        if (flags != AtDescriptor || !eventIndex)
            return flags != OffFlag;
        var asked = RingCursor.From((ushort)wish, DeviceQueue.MaxSize);
        int at = asked.Wrap == now.Wrap ? asked.Index : asked.Index - size;
        int from = now.Index <= before ? before - size : before;
        return DeviceQueue.NeedsEvent((ushort)at, now.Index, (ushort)from);
    }
}
