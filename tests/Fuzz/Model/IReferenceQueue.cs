using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Model;

/// <summary>What models of queues of both formats have in common.</summary>
internal interface IReferenceQueue
{
    /// <summary>By what the ring is broken.</summary>
    QueueFault RingFault { get; }

    /// <summary>The device asks for kicks; whether it must look again.</summary>
    bool EnableKicks();

    /// <summary>It does not need any.</summary>
    void DisableKicks();
}
