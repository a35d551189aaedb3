using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// The device's side of a split virtqueue (VIRTIO 1.2, 2.7) whose driver may be hostile. Owned by one thread at a time.
/// Every field the driver can write is read once, and nothing we wrote is read back.
/// </summary>
public sealed unsafe class SplitQueue : IDisposable
{
    /// <summary>The most entries a split virtqueue can have (2.7).</summary>
    public const int MaxSize = 32768;

    private const ushort NoInterrupt = 1, NoNotify = 1;

    private readonly GuestMemory _memory;
    private readonly DescriptorTable _descriptors;

    // The available ring, the driver's: flags, idx, ring[size], used_event.
    private readonly ushort* _available;

    // The used ring, ours: flags, idx, ring[size] of {id, length}, avail_event.
    private readonly ushort* _used;
    private readonly int _size;
    private readonly int _mask;
    private readonly bool _eventIndex;

    private ushort _nextAvailable;
    private ushort _knownAvailable;
    private ushort _nextUsed;
    private ushort _publishedUsed;
    private ushort _lastCallAt;
    private bool _calledBefore;
    private bool _broken;
    private bool _disposed;

    private SplitQueue(GuestMemory memory, byte* descriptors, byte* available, byte* used, int size, ulong features)
    {
        _memory = memory.Hold();
        _descriptors = new DescriptorTable(_memory, (Descriptor*)descriptors, size, (features & Features.RingIndirectDescriptors) != 0);
        _available = (ushort*)available;
        _used = (ushort*)used;
        _size = size;
        _mask = size - 1;
        _eventIndex = (features & Features.RingEventIndex) != 0;
    }

    /// <summary>Entries of the queue.</summary>
    public int Size => _size;

    /// <summary>Index of the next available entry to take: the ring's base when it stops (vhost-user GET_VRING_BASE).</summary>
    public ushort NextAvailable => _nextAvailable;

    /// <summary>What the last <see cref="PopResult.BadChain"/> or <see cref="PopResult.BadRing"/> was about.</summary>
    public QueueFault Fault { get; private set; }

    /// <summary>Finds a queue's areas in guest memory, which it holds from then on.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="layout">The areas, by the front-end's addresses.</param>
    /// <param name="size">Entries: a power of two up to <see cref="MaxSize"/>.</param>
    /// <param name="features">The features the driver accepted.</param>
    /// <param name="nextAvailable">The entry to begin with.</param>
    /// <param name="reason">Why not, for a person.</param>
    public static SplitQueue? TryCreate(
        GuestMemory memory, RingLayout layout, int size, ulong features, ushort nextAvailable, out string reason)
    {
        if (size is < 1 or > MaxSize || !int.IsPow2(size))
            return Refuse($"a queue size of {size} is not a power of two up to {MaxSize}", out reason);
        byte* descriptors = memory.TranslateUser(layout.Descriptors, RingLayout.DescriptorBytes(size));
        byte* available = memory.TranslateUser(layout.Available, RingLayout.AvailableBytes(size));
        byte* used = memory.TranslateUser(layout.Used, RingLayout.UsedBytes(size));
        if (descriptors == null || available == null || used == null)
            return Refuse(
                $"the ring's descriptor table (0x{layout.Descriptors:x}), available ring (0x{layout.Available:x}) or used ring (0x{layout.Used:x}) is not in the guest's shared memory",
                out reason);
        // What counts is how they lie for us: a region's offset in its file can shift them.
        if (!RingLayout.IsAligned((nuint)descriptors, (nuint)available, (nuint)used))
            return Refuse("an area of the ring is not aligned", out reason);
        reason = "";
        var queue = new SplitQueue(memory, descriptors, available, used, size, features);
        queue.StartAt(nextAvailable);
        return queue;
    }

    /// <summary>Takes the next chain that the driver made available.</summary>
    /// <param name="chain">Loaded, if the result says so; its Head is set for a bad chain too.</param>
    public PopResult TryPop(Chain chain)
    {
        if (_nextAvailable == _knownAvailable && !LookForMore())
            return _broken ? PopResult.BadRing : PopResult.Empty;

        ushort head = Volatile.Read(ref _available[2 + (_nextAvailable & _mask)]);
        if (_broken || head >= _size)
        {
            Break(QueueFault.HeadOutOfRange);
            return PopResult.BadRing;
        }
        _nextAvailable++;
        chain.Head = head;
        QueueFault fault = _descriptors.Load(chain, head);
        if (fault == QueueFault.None)
            return PopResult.Chain;
        Fault = fault;
        return PopResult.BadChain;
    }

    /// <summary>Puts the last <paramref name="count"/> chains taken back, unused; they come again, read anew.</summary>
    public void UndoPop(int count) => _nextAvailable -= (ushort)count;

    /// <summary>Entries available beyond those taken, as far as known without looking at the driver's index again.</summary>
    public int KnownAvailable => (ushort)(_knownAvailable - _nextAvailable);

    /// <summary>Gives a chain back to the driver, not visible before <see cref="PublishUsed"/>.</summary>
    /// <param name="head">The chain's first descriptor.</param>
    /// <param name="written">Bytes that we wrote into it, from its first writable byte on (2.7.8.2).</param>
    public void AddUsed(ushort head, uint written)
    {
        uint* entry = (uint*)(_used + 2) + 2 * (_nextUsed & _mask);
        entry[0] = head;
        entry[1] = written;
        _nextUsed++;
    }

    /// <summary>Takes back the last <paramref name="count"/> entries added and not published.</summary>
    public void UndoUsed(int count) => _nextUsed -= (ushort)count;

    /// <summary>Shows the driver what was given back.</summary>
    /// <returns>Whether the driver asked to be called for it (2.7.7).</returns>
    public bool PublishUsed()
    {
        if (_nextUsed == _publishedUsed)
            return false;
        Volatile.Write(ref _used[1], _nextUsed);
        _publishedUsed = _nextUsed;
        // The index must be visible before the driver's wish is read, or each could wait for the other (2.7.7.2).
        Interlocked.MemoryBarrier();
        return WantsCall();
    }

    /// <summary>Asks the driver not to kick: we look by ourselves.</summary>
    public void DisableKicks()
    {
        // With event_idx nothing needs saying: the event index stays behind, and the driver kicks as it passes it, once.
        if (!_eventIndex)
            Volatile.Write(ref _used[0], NoNotify);
    }

    /// <summary>Asks the driver to kick when it adds to what it is known to have made available.</summary>
    /// <returns>Whether it has done so already: then look again, for its kick may not come.</returns>
    public bool EnableKicks()
    {
        if (_eventIndex)
            Volatile.Write(ref _used[2 + 4 * _size], _knownAvailable);
        else
            Volatile.Write(ref _used[0], 0);
        // Our wish must be visible before the index is read: the driver writes and reads the other way round (2.7.10).
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _available[1]) != _knownAvailable;
    }

    /// <summary>Lets go of the guest's memory.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _memory.Release();
    }

    /// <summary>Whether the guest's memory has been lost: nothing in the ring is the guest's any more.</summary>
    public bool IsMemoryLost => _memory.IsLost;

    private void StartAt(ushort nextAvailable)
    {
        // The used index is our own, but a queue that was used before we came goes on where it stood. The driver could
        // have put anything there: that harms the driver alone.
        _nextUsed = _publishedUsed = Volatile.Read(ref _used[1]);
        _nextAvailable = _knownAvailable = nextAvailable;
    }

    /// <summary>What is broken once stays so: nothing that comes after it can be believed.</summary>
    private void Break(QueueFault fault)
    {
        if (!_broken)
            Fault = fault;
        _broken = true;
    }

    private bool LookForMore()
    {
        if (_broken)
            return false;
        ushort index = Volatile.Read(ref _available[1]);
        int more = (ushort)(index - _nextAvailable);
        if (more > _size)
        {
            Break(QueueFault.AvailableIndexJumped);
            return false;
        }
        _knownAvailable = index;
        return more > 0;
    }

    private bool WantsCall()
    {
        if (!_eventIndex)
            return (Volatile.Read(ref _available[0]) & NoInterrupt) == 0;
        ushort wanted = Volatile.Read(ref _available[2 + _size]);
        ushort last = _lastCallAt;
        bool first = !_calledBefore;
        _lastCallAt = _publishedUsed;
        _calledBefore = true;
        return first || NeedsEvent(wanted, _publishedUsed, last);
    }

    /// <summary>Whether going from <paramref name="before"/> to <paramref name="now"/> passed the index asked for (2.7.10).</summary>
    internal static bool NeedsEvent(ushort asked, ushort now, ushort before) =>
        (ushort)(now - asked - 1) < (ushort)(now - before);

    private static SplitQueue? Refuse(string why, out string reason)
    {
        reason = why;
        return null;
    }
}
