using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

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

    /// <summary>Whether the device writes into no chain of a ring.</summary>
    public virtual bool OnlyReads(int ring) => false;

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

    /// <summary>Whether a front-end may connect: it would ask for what must be known.</summary>
    public virtual bool CanConnect => true;

    /// <summary>What a disk's client or server did; null: the port is neither.</summary>
    public virtual BlockCounters? BlockCounters => null;

    /// <summary>The device's configuration space; null: it has none, or it is not known.</summary>
    public virtual byte[]? ReadConfig() => null;

    /// <summary>The driver writes into the configuration space.</summary>
    /// <returns>Why it may not; null if it may.</returns>
    public virtual string? WriteConfig(uint offset, ReadOnlySpan<byte> bytes) => "a configuration that cannot be written";

    /// <summary>A front-end has connected.</summary>
    public virtual void OnConnected()
    {
    }

    /// <summary>The front-end has gone, and the guest with it, for all we know.</summary>
    public virtual void OnDisconnected()
    {
    }

    /// <summary>The features, or the configuration, that the driver has set. Not while a join uses the rings.</summary>
    public virtual void OnConfigured(ulong features)
    {
    }

    /// <summary>A ring runs, and no join uses it yet.</summary>
    /// <param name="ring">Which.</param>
    /// <param name="end">The ring.</param>
    /// <param name="isFresh">Whether the driver has begun it, and it is not one that goes on after a pause.</param>
    /// <returns>Why it cannot run; null if it can.</returns>
    public virtual string? OnStarted(int ring, QueueEnd end, bool isFresh) => null;

    /// <summary>A ring has stopped for good.</summary>
    public virtual void OnStopped(int ring)
    {
    }

    /// <summary>Makes an inflight region, which stays the model's.</summary>
    public virtual InflightRegion? CreateInflight(int queues, int queueSize) => null;

    /// <summary>Takes an inflight region that the front-end has kept, and its descriptor.</summary>
    /// <returns>Why it cannot be used; null if it can.</returns>
    public virtual string? OpenInflight(FileDescriptor file, ulong size, ulong offset, int queues, int queueSize)
    {
        file.Dispose();
        return "this device has no inflight region";
    }

    /// <summary>The model of a port.</summary>
    /// <param name="spec">What its owner asked for.</param>
    /// <param name="disk">Of a block device: what its guest saw in an earlier life.</param>
    public static PortModel For(PortSpec spec, BlockAnnouncement? disk) => spec.Type switch
    {
        PortType.Net => new NetModel(spec.QueuePairs),
        PortType.Block => new BlockModel(spec.QueuePairs) { Disk = disk },
        PortType.BlockServer => new BlockServerModel(),
        _ => new ByteModel(spec.Type),
    };
}
