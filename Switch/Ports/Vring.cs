using System.Buffers.Binary;
using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Ports;

/// <summary>One ring as the front-end has set it up so far, and its queue while it runs.</summary>
internal sealed class Vring(bool inOrder, bool onlyReads) : IDisposable
{
    private EventFd? _kick;
    private EventFd? _call;
    private EventFd? _error;
    private bool _kicked;

    /// <summary>Behind the used ring's flags (VIRTIO 1.2, 2.7.8).</summary>
    private const ulong UsedIndexOffset = 2;

    /// <summary>Entries; 0: not said.</summary>
    public int Size { get; set; }

    /// <summary>Its areas; null: not said.</summary>
    public RingLayout? Layout { get; set; }

    /// <summary>Where to begin, as SET_VRING_BASE says it and GET_VRING_BASE tells it.</summary>
    public uint Base { get; set; }

    /// <summary>Guest address of the used ring, if writes to it are to be logged (VHOST_VRING_F_LOG).</summary>
    public ulong? LogAddress { get; set; }

    /// <summary>Why it could not be started when it was tried last; null if it could, or was not tried since it stopped.</summary>
    public string? StartProblem { get; set; }

    /// <summary>Whether the front-end enabled it.</summary>
    public bool Enabled { get; set; }

    /// <summary>The queue while it runs, enabled or not (vhost-user specification, "Ring states").</summary>
    public QueueEnd? End { get; private set; }

    /// <summary>Whether it has been kicked, or told to be polled: the front-end's word that it is to start.</summary>
    public bool HasKick => _kicked;

    /// <summary>Whether all that a start needs has been said.</summary>
    public bool IsComplete => _kicked && Size > 0 && Layout != null;

    /// <summary>Whether its driver begins it anew at the next start, and it does not go on after a pause.</summary>
    public bool IsFresh { get; private set; } = true;

    /// <summary>Whether the ring may carry data.</summary>
    public bool Runs => End != null && Enabled;

    /// <summary>Sets the kick; null: the ring is polled. Not while it runs.</summary>
    public void SetKick(EventFd? kick)
    {
        _kick?.Dispose();
        _kick = kick;
        _kicked = true;
    }

    /// <summary>Sets the call; null: the guest polls. While it runs: in its loop's thread.</summary>
    /// <returns>The one before, to be closed by the caller once nothing uses it.</returns>
    public EventFd? ExchangeCall(EventFd? call)
    {
        var before = _call;
        _call = call;
        End?.ReplaceCall(call);
        return before;
    }

    /// <summary>Sets where faults are told.</summary>
    public void SetError(EventFd? error)
    {
        _error?.Dispose();
        _error = error;
    }

    /// <summary>Tells the front-end that the ring is broken.</summary>
    public void SignalError() => _error?.Signal();

    /// <summary>Starts the ring. Returns why not, or null.</summary>
    /// <param name="memory">Of the guest.</param>
    /// <param name="features">That the guest accepted.</param>
    /// <param name="mtu">That it was told; 0: none.</param>
    /// <param name="counters">The ring's.</param>
    /// <param name="dirty">Where its writes are logged; null: nowhere.</param>
    public string? Start(GuestMemory memory, ulong features, int mtu, QueueCounters counters, DirtyLog? dirty)
    {
        bool buffers = (features & Features.VhostLogAll) != 0;
        var log = dirty != null && (buffers || LogAddress != null) ? new RingLog(dirty, memory, buffers, LogAddress) : null;
        var queue = DeviceQueue.TryCreate(memory, Layout!.Value, Size, features, State(memory, features), out string reason, log, onlyReads);
        if (queue == null)
            return reason;
        StartProblem = null;
        End = new QueueEnd(queue, features, _kick, _call, counters) { Mtu = mtu == 0 ? int.MaxValue : mtu };
        return null;
    }

    /// <summary>
    /// Where to begin. In order, all that we take is used before anything stops us: so what is not used was not taken,
    /// whatever the front-end says. (Cloud Hypervisor, connecting again, gives the available index: every buffer that waits
    /// would be skipped, for ever.)
    /// </summary>
    private uint State(GuestMemory memory, ulong features)
    {
        // A packed ring's indices are nowhere but in what the front-end says.
        if (!inOrder || (features & Features.RingPacked) != 0)
            return Base;
        Span<byte> index = stackalloc byte[sizeof(ushort)];
        return memory.TryReadUser(Layout!.Value.Used + UsedIndexOffset, index) ? BinaryPrimitives.ReadUInt16LittleEndian(index) : Base;
    }

    /// <summary>Stops the ring where it is, as if for a moment: it can be started again. Not while a join uses it.</summary>
    public void Pause()
    {
        if (End == null)
            return;
        Base = End.Queue.State;
        End.Dispose();
        End = null;
        IsFresh = false;
    }

    /// <summary>Stops the ring until the front-end kicks it anew (vhost-user GET_VRING_BASE). Not while a join uses it.</summary>
    public void Stop()
    {
        Pause();
        IsFresh = true;
        _kicked = false;
        StartProblem = null;
        _kick?.Dispose();
        _call?.Dispose();
        _kick = _call = null;
    }

    /// <summary>Stops the ring, and forgets all that was said of it but where faults are told. Not while a join uses it.</summary>
    public void Reset()
    {
        Stop();
        (Size, Layout, LogAddress, Base, Enabled) = (0, null, null, 0, false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Stop();
        SetError(null);
    }
}
