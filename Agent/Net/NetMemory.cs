using InterGuest.Agent.Guests;
using InterGuest.Virtio.Devices;

namespace InterGuest.Agent.Net;

/// <summary>How much memory a <see cref="PairDriver"/> needs.</summary>
internal static class NetMemory
{
    private const int RingBytesPerEntry = 32, Alignment = 64, Page = 4096;

    /// <summary>Bytes for both queues and their buffers, in whole pages.</summary>
    public static long Bytes(int largestFrame, int queueSize)
    {
        long entry = NetHeader.Bytes + largestFrame + Alignment + RingBytesPerEntry;
        return (2 * queueSize * entry + 2 * Page - 1) / Page * Page;
    }
}
