using System.Runtime.CompilerServices;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// The device's side of a virtqueue whose driver may be hostile (VIRTIO 1.2, 2.6). Owned by one thread at a time. Every
/// field the driver can write is read once, and nothing we wrote is believed when it is read back.
/// </summary>
public abstract unsafe class DeviceQueue : IDisposable
{
    /// <summary>The most entries a virtqueue can have (2.7, 2.8).</summary>
    public const int MaxSize = 32768;

    private bool _disposed;
    private AddressTranslator _buffers;

    private protected DeviceQueue(GuestMemory memory, int size, ulong features)
    {
        (Memory, Size) = (memory.Hold(), size);
        _buffers = new AddressTranslator(memory);
        Indirect = (features & Features.RingIndirectDescriptors) != 0;
        EventIndex = (features & Features.RingEventIndex) != 0;
    }

    /// <summary>Entries of the queue.</summary>
    public int Size { get; }

    /// <summary>What the last <see cref="PopResult.BadChain"/> or <see cref="PopResult.BadRing"/> was about.</summary>
    public QueueFault Fault { get; private protected set; }

    /// <summary>Where the ring is, as GET_VRING_BASE tells it and SET_VRING_BASE sets it (vhost-user, "Vring state").</summary>
    public abstract uint State { get; }

    /// <summary>Where the queue stands, to <see cref="Rewind"/> to.</summary>
    public abstract QueuePosition Position { get; }

    /// <summary>Whether anything was given back that the driver cannot see yet.</summary>
    public bool HasUnpublished => Unpublished > 0;

    /// <summary>
    /// Where to note which pages of the guest are written, for its live migration; null: nowhere. The queue notes its own
    /// writes to the ring; who writes into a chain notes that with <see cref="RingLog.Wrote(SegmentCursor, ulong)"/>.
    /// </summary>
    public RingLog? Log { get; init; }

    /// <summary>
    /// Whether the device has nothing to write into any chain, as in a network device's transmit queue. DPDK's virtio-user
    /// counts on that: in indirect tables of packed rings it leaves WRITE where it must not be.
    /// </summary>
    public bool OnlyReads { get; init; }

    /// <summary>Whether each chain that the driver cannot see used yet takes one entry of the ring, if all that were taken have been given back.</summary>
    public bool TakesOneEntryEach => Outstanding == Unpublished;

    /// <summary>Whether the guest's memory has been lost: nothing in the ring is the guest's any more.</summary>
    public bool IsMemoryLost => Memory.IsLost;

    /// <summary>Whether there is nothing to take, as far as one look at the ring tells.</summary>
    public abstract bool IsEmpty { get; }

    private protected GuestMemory Memory { get; }

    /// <summary>Shows the driver the first of what was given back.</summary>
    /// <param name="chains">How many: at least one, and no more than are <see cref="Unpublished"/>.</param>
    /// <returns>Whether it asked to be called for them.</returns>
    private protected abstract bool Show(int chains);

    /// <summary>Chains given back that the driver cannot see yet.</summary>
    private protected abstract int Unpublished { get; }

    /// <summary>Whether the driver has asked not to be called, whatever is used.</summary>
    private protected abstract bool IsPolled { get; }

    private protected bool Indirect { get; }

    private protected bool EventIndex { get; }

    /// <summary>Ring entries taken and not yet shown as used.</summary>
    private protected int Outstanding { get; set; }

    /// <summary>What is broken once stays so: nothing that comes after it can be believed.</summary>
    private protected bool Broken { get; private set; }

    /// <summary>Finds a queue's areas in guest memory, which it holds from then on.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="layout">The areas, by the front-end's addresses.</param>
    /// <param name="size">Entries: up to <see cref="MaxSize"/>, of a split queue a power of two.</param>
    /// <param name="features">The features the driver accepted; VIRTIO_F_RING_PACKED decides the format.</param>
    /// <param name="state">Where to begin, as <see cref="State"/>.</param>
    /// <param name="reason">Why not, for a person.</param>
    /// <param name="log">See <see cref="Log"/>.</param>
    /// <param name="onlyReads">See <see cref="OnlyReads"/>.</param>
    public static DeviceQueue? TryCreate(
        GuestMemory memory, RingLayout layout, int size, ulong features, uint state, out string reason, RingLog? log = null, bool onlyReads = false)
    {
        bool packed = (features & Features.RingPacked) != 0;
        if (size is < 1 or > MaxSize || (!packed && !int.IsPow2(size)))
            return Refuse($"a queue size of {size} is not {(packed ? "a number" : "a power of two")} up to {MaxSize}", out reason);
        byte* descriptors = memory.TranslateUser(layout.Descriptors, RingLayout.DescriptorBytes(size));
        byte* driver = memory.TranslateUser(layout.Available, packed ? RingLayout.EventBytes : RingLayout.AvailableBytes(size));
        byte* device = memory.TranslateUser(layout.Used, packed ? RingLayout.EventBytes : RingLayout.UsedBytes(size));
        if (descriptors == null || driver == null || device == null)
            return Refuse(
                $"the ring's descriptor table (0x{layout.Descriptors:x}), available ring (0x{layout.Available:x}) or used ring (0x{layout.Used:x}) is not in the guest's shared memory",
                out reason);
        // What counts is how they lie for us: a region's offset in its file can shift them.
        if (!RingLayout.IsAligned((nuint)descriptors, (nuint)driver, (nuint)device, packed))
            return Refuse("an area of the ring is not aligned", out reason);
        reason = "";
        return packed
            ? new PackedQueue(memory, descriptors, driver, device, size, features, state) { Log = log, OnlyReads = onlyReads }
            : new SplitQueue(memory, descriptors, driver, device, size, features, (ushort)state) { Log = log, OnlyReads = onlyReads };
    }

    /// <summary>Takes the next chain that the driver made available.</summary>
    /// <param name="chain">Loaded, if the result says so; its ticket is set for a bad chain too.</param>
    public abstract PopResult TryPop(Chain chain);

    /// <summary>
    /// Goes back to a position taken since the last <see cref="PublishUsed()"/>: chains taken after it come again, read anew,
    /// and what was given back after it is not.
    /// </summary>
    public abstract void Rewind(QueuePosition position);

    /// <summary>Claims bytes of the next chain's first buffer, if one is known to be there.</summary>
    internal abstract void ClaimNext(uint bytes);

    /// <summary>Gives a chain back to the driver, not visible before <see cref="PublishUsed()"/>.</summary>
    /// <param name="chain">Which: it may have been taken long ago, and others after it.</param>
    /// <param name="written">Bytes that we wrote into it, from its first writable byte on (2.7.8.2).</param>
    public abstract void AddUsed(ChainTicket chain, uint written);

    /// <summary>How many chains that were given back <see cref="PublishUsed(int, out int)"/> would show.</summary>
    /// <param name="late">See there.</param>
    public int Due(int late)
    {
        int unpublished = Unpublished;
        return late == 0 || unpublished == 0 || !IsPolled ? unpublished : Math.Max(0, unpublished - late);
    }

    /// <summary>Shows the driver what was given back.</summary>
    /// <returns>Whether the driver asked to be called for it (2.7.7, 2.8.10).</returns>
    public bool PublishUsed() => PublishUsed(late: 0, out _);

    /// <summary>As <see cref="PublishUsed()"/>, but for the last chains, if the driver does not ask to be called: it looks when it needs them.</summary>
    /// <param name="late">How many may be shown later.</param>
    /// <param name="shown">How many were shown.</param>
    /// <returns>Whether the driver asked to be called for them.</returns>
    public bool PublishUsed(int late, out int shown)
    {
        // Once: the driver may change its wish, and what was decided by it must not be half done.
        shown = Due(late);
        return shown > 0 && Show(shown);
    }

    /// <summary>Asks the driver not to kick: we look by ourselves.</summary>
    public abstract void DisableKicks();

    /// <summary>Asks the driver to kick when it adds to what it is known to have made available.</summary>
    /// <returns>Whether it has done so already: then look again, for its kick may not come.</returns>
    public abstract bool EnableKicks();

    /// <summary>Lets go of the guest's memory.</summary>
    public void Dispose()
    {
        if (!_disposed)
            Memory.Release();
        _disposed = true;
        GC.SuppressFinalize(this);
    }

    /// <summary>The driver broke a rule that only the device could see: the queue stops, as after <see cref="PopResult.BadRing"/>.</summary>
    public void Distrust(QueueFault fault) => Break(fault);

    /// <summary>Translates the addresses of buffers.</summary>
    private protected ref AddressTranslator Buffers => ref _buffers;

    /// <summary>Where a buffer lies, if all of it is in one region; else null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected byte* Map(ulong address, uint length) => _buffers.Map(address, length);

    /// <summary>Nothing in the ring can be believed from now on.</summary>
    private protected PopResult Break(QueueFault fault)
    {
        if (!Broken)
            Fault = fault;
        Broken = true;
        return PopResult.BadRing;
    }

    /// <summary>Whether going from <paramref name="before"/> to <paramref name="now"/> passed the index asked for (2.7.10).</summary>
    internal static bool NeedsEvent(ushort asked, ushort now, ushort before) =>
        (ushort)(now - asked - 1) < (ushort)(now - before);

    private static DeviceQueue? Refuse(string why, out string reason)
    {
        reason = why;
        return null;
    }
}
