namespace InterGuest.Switch.Ports.Models;

/// <summary>
/// What a port's type decides, and nothing else does: its rings and what they are for, the features that are offered, the
/// device's configuration. One for each port. On the control thread.
/// </summary>
internal abstract class PortModel
{
    /// <summary>Protocol features that every device offers.</summary>
    private const ulong Protocol =
        Virtio.VhostUser.ProtocolFeatures.Multiqueue | Virtio.VhostUser.ProtocolFeatures.ReplyAck
        | Virtio.VhostUser.ProtocolFeatures.BackendRequests | Virtio.VhostUser.ProtocolFeatures.ConfigureMemorySlots
        | Virtio.VhostUser.ProtocolFeatures.ResetDevice | Virtio.VhostUser.ProtocolFeatures.Status;

    /// <summary>How many virtqueues the device has.</summary>
    public abstract int RingCount { get; }

    /// <summary>What GET_QUEUE_NUM tells.</summary>
    public virtual ulong QueueNum => (ulong)RingCount;

    /// <summary>Which protocol features are offered.</summary>
    public virtual ulong ProtocolFeatures => Protocol;

    /// <summary>Whether all that is taken from a ring is used before anything can stop it, in order: then what is not used was not taken.</summary>
    public virtual bool InOrder => false;

    /// <summary>Queues, or pairs of them, that run.</summary>
    /// <param name="runs">Whether a ring runs.</param>
    public abstract int Running(Func<int, bool> runs);

    /// <summary>The features to offer.</summary>
    /// <param name="peerAccepted">What the guest at the other end accepted; null if it is not known.</param>
    /// <param name="offeredBefore">What this port has offered already.</param>
    public abstract ulong Offer(ulong? peerAccepted, ulong offeredBefore);

    /// <summary>The names of features of this device.</summary>
    public abstract IEnumerable<string> NamesOf(ulong features);

    /// <summary>What a ring is for, in a word.</summary>
    public abstract string NameOf(int ring);

    /// <summary>How many queues, as the port's owner counts them, a ring needs; null: the device never has it.</summary>
    public virtual uint? QueuesFor(uint ring) => null;

    /// <summary>The model of a port.</summary>
    /// <param name="spec">What its owner asked for.</param>
    public static PortModel For(PortSpec spec) => spec.Type switch
    {
        PortType.Net => new NetModel(spec.QueuePairs),
        PortType.Block => new BlockModel(spec.QueuePairs),
        _ => new ByteModel(spec.Type),
    };
}
