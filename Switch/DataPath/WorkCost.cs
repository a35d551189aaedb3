using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// What work costs a loop, in units of a few nanoseconds: so that a guest with long chains or large frames has no more of
/// it than one with short and small ones.
/// </summary>
internal static class WorkCost
{
    /// <summary>A turn's worth: some microseconds, so that others do not wait long.</summary>
    internal const int Turn = 1024;

    private const int Chain = 4, Descriptor = 4, Headers = 16, BytesPerUnit = 256;

    /// <summary>What may be moved at once.</summary>
    internal static FrameTally Most(int frames, int work, long bytes) =>
        new(frames, Math.Min(bytes, (long)work * BytesPerUnit), work / Descriptor);

    /// <summary>Of frames that went the short way.</summary>
    internal static int Of(in FrameTally moved) =>
        moved.Frames * (Chain + 1) + (moved.Descriptors - 2 * moved.Frames) * Descriptor + (int)(moved.Bytes / BytesPerUnit);

    /// <summary>Of taking a chain and moving its bytes.</summary>
    internal static int Of(Chain chain, long bytes) => Chain + Descriptor * chain.Descriptors + (int)(bytes / BytesPerUnit);

    /// <summary>Of making a segment: its headers, adding it up and moving its bytes.</summary>
    internal static int OfSegment(int bytes) => Headers + 2 * bytes / BytesPerUnit;
}
