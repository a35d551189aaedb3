using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// A running virtqueue of a guest, as one end of joins: the queue with its two doorbells. While joins use it, it belongs to
/// their loop's thread; otherwise to the port's.
/// </summary>
public sealed class QueueEnd(SplitQueue queue, ulong features, EventFd? kick, EventFd? call, QueueCounters counters) : IDisposable
{
    private EventFd? _call = call;

    /// <summary>The rings.</summary>
    public SplitQueue Queue { get; } = queue;

    /// <summary>The features the guest accepted.</summary>
    public ulong Features { get; } = features;

    /// <summary>Bytes of the header in front of each frame.</summary>
    public int HeaderBytes { get; } = NetHeader.SizeFor(features);

    /// <summary>Whether a frame may fill several buffers.</summary>
    public bool Mergeable { get; } = (features & Virtio.Devices.Features.NetMergeableBuffers) != 0;

    /// <summary>How the guest wakes us; null: it does not, and the queue is polled. Owned by the port.</summary>
    public EventFd? Kick { get; } = kick;

    /// <summary>The counters of the ring that it runs in.</summary>
    public QueueCounters Counters { get; } = counters;

    /// <summary>The joins that use this end, in its loop.</summary>
    internal List<NetJoin> Joins { get; } = [];

    /// <summary>By which its loop knows its kick; 0 while it has none.</summary>
    internal ulong Token { get; set; }

    /// <summary>Another way to call the guest. Rings at once: a call could have gone to the one before.</summary>
    public void ReplaceCall(EventFd? call)
    {
        _call = call;
        _call?.Signal();
    }

    /// <summary>Shows the guest what was given back, and calls it if it asked for that.</summary>
    /// <param name="any">Whether the turn gave anything back: for the count of calls that the guest was spared.</param>
    public void Publish(bool any)
    {
        if (Queue.PublishUsed() && _call != null)
        {
            _call.Signal();
            Counters.Called();
        }
        else if (any)
        {
            Counters.CallSuppressed();
        }
    }

    /// <summary>Lets go of the rings. The doorbells are the port's.</summary>
    public void Dispose() => Queue.Dispose();
}
