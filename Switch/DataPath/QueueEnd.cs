using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// A running virtqueue of a guest, as one end of joins: the queue with its two doorbells. While joins use it, it belongs to
/// their loop's thread; otherwise to the port's.
/// </summary>
public sealed class QueueEnd(DeviceQueue queue, ulong features, EventFd? kick, EventFd? call, QueueCounters counters) : IDisposable
{
    private EventFd? _call = call;

    /// <summary>The rings.</summary>
    public DeviceQueue Queue { get; } = queue;

    /// <summary>The features the guest accepted.</summary>
    public ulong Features { get; } = features;

    /// <summary>Bytes of the header in front of each frame.</summary>
    public int HeaderBytes { get; } = NetHeader.SizeFor(features);

    /// <summary>Whether a frame may fill several buffers.</summary>
    public bool Mergeable { get; } = (features & Virtio.Devices.Features.NetMergeableBuffers) != 0;

    /// <summary>The longest packet, from its IP header on, that the guest was told to expect.</summary>
    public int Mtu { get; init; } = int.MaxValue;

    /// <summary>How the guest wakes us; null: it does not, and the queue is polled. Owned by the port.</summary>
    public EventFd? Kick { get; } = kick;

    /// <summary>The counters of the ring that it runs in.</summary>
    public QueueCounters Counters { get; } = counters;

    /// <summary>The joins that use this end, in its loop.</summary>
    internal List<Join> Joins { get; } = [];

    /// <summary>By which its loop knows its kick; 0 while it has none.</summary>
    internal ulong Token { get; set; }

    /// <summary>Another way to call the guest. Rings at once: a call could have gone to the one before.</summary>
    public void ReplaceCall(EventFd? call)
    {
        _call = call;
        _call?.Signal();
    }

    /// <summary>Shows the guest what was given back, if anything was, and calls it if it asked for that.</summary>
    /// <param name="late">How many chains a guest that does not ask to be called may see later.</param>
    public void Publish(int late = 0)
    {
        bool wanted = Queue.PublishUsed(late, out int shown);
        if (shown == 0)
            return;
        if (!wanted || _call == null)
        {
            Counters.CallSuppressed();
            return;
        }
        _call.Signal();
        Counters.Called();
    }

    /// <summary>Lets go of the rings. The doorbells are the port's.</summary>
    public void Dispose() => Queue.Dispose();
}
