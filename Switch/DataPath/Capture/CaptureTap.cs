using InterGuest.Virtio.Memory;

namespace InterGuest.Switch.DataPath.Capture;

/// <summary>Shows the frames of one direction of a link to those who capture. A join without captures has no tap.</summary>
/// <param name="direction">0: from the link's first port, 1: from its second.</param>
/// <param name="rings">One for each capture; written by the link's loop alone.</param>
/// <param name="time">The clock.</param>
public sealed class CaptureTap(int direction, CaptureRing[] rings, TimeProvider time)
{
    /// <summary>Shows a frame, without its virtio-net header.</summary>
    public void Show(SegmentCursor frame, DropReason? dropped)
    {
        long ticks = time.GetUtcNow().UtcTicks;
        foreach (var ring in rings)
            ring.Write(frame, ticks, direction, dropped);
    }
}
