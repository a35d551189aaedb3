using InterGuest.Switch.DataPath;
using InterGuest.Switch.Ports.Models;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Ports;

/// <summary>
/// The rings of a port, the guest's memory that they lie in, and the log of what is written there. Changed on the control thread
/// alone, and not while a join uses the rings.
/// </summary>
internal sealed class PortRings
{
    private readonly PortModel _model;
    private readonly PortCounters _counters;
    private readonly MessageFaults _faults;
    private readonly Vring[] _vrings;
    private DirtyLog? _log;
    private long _logOutOfRange;

    public PortRings(PortModel model, PortCounters counters, MessageFaults faults)
    {
        (_model, _counters, _faults) = (model, counters, faults);
        _vrings = [.. Enumerable.Range(0, model.RingCount).Select(i => new Vring(model.InOrder, model.OnlyReads(i)))];
    }

    /// <summary>The guest's memory.</summary>
    public GuestMemory Memory { get; private set; } = GuestMemory.Empty;

    /// <summary>Writes that the front-end's log of dirty pages had no bit for: it was too small.</summary>
    public long LogOutOfRange => _logOutOfRange + (_log?.OutOfRange ?? 0);

    /// <summary>Why a ring that should run does not; empty if all do.</summary>
    public string Problem => _vrings.FirstOrDefault(v => v.StartProblem != null)?.StartProblem ?? "";

    /// <summary>Pairs of rings that run; of a block device, rings.</summary>
    public int Running => _model.Running(i => _vrings[i].Runs);

    /// <summary>The queues that take frames for the guest, those that run.</summary>
    public IReadOnlyList<QueueEnd> ReceiveEnds => [.. OneOfEachPair(first: 0).Where(v => v.Runs).Select(v => v.End!)];

    /// <summary>The queues that the guest sends on, and whether each is enabled.</summary>
    public IReadOnlyList<(QueueEnd End, bool Enabled)> TransmitEnds =>
        [.. OneOfEachPair(first: 1).Where(v => v.End != null).Select(v => (v.End!, v.Enabled))];

    /// <summary>All queues that are started, in their order, and whether each is enabled.</summary>
    public IReadOnlyList<(int Ring, QueueEnd End, bool Enabled)> StartedEnds =>
        [.. _vrings.Index().Where(v => v.Item.End != null).Select(v => (v.Index, v.Item.End!, v.Item.Enabled))];

    /// <summary>A ring; null: the device has no such.</summary>
    public Vring? this[uint index] => index < _vrings.Length ? _vrings[index] : null;

    /// <summary>Which ring a queue is of; -1: none's any more.</summary>
    public int IndexOf(QueueEnd end) => Array.FindIndex(_vrings, v => v.End == end);

    /// <summary>Stops all, as if for a moment.</summary>
    public void Pause()
    {
        foreach (var vring in _vrings)
            vring.Pause();
    }

    /// <summary>Enables all: a front-end that does not speak of protocol features cannot (vhost-user specification, "Ring states").</summary>
    public void Enable()
    {
        foreach (var vring in _vrings)
            vring.Enabled = true;
    }

    /// <summary>Stops a ring until the front-end kicks it anew.</summary>
    public void Stop(Vring vring)
    {
        vring.Stop();
        _model.OnStopped(Array.IndexOf(_vrings, vring));
    }

    /// <summary>Stops all and forgets what was said of them; memory, the log and the front-end's error doorbells stay.</summary>
    public void Reset()
    {
        foreach (var (i, vring) in _vrings.Index())
        {
            vring.Reset();
            _model.OnStopped(i);
        }
    }

    /// <summary>Forgets all that the front-end ever said.</summary>
    public void Forget()
    {
        Reset();
        foreach (var vring in _vrings)
            vring.SetError(null);
        Memory.Release();
        Memory = GuestMemory.Empty;
        LogTo(null);
    }

    /// <summary>Takes the guest's memory as it is from now on.</summary>
    public void Remap(GuestMemory memory)
    {
        Pause();
        Memory.Release();
        Memory = memory;
    }

    /// <summary>Takes another place to note dirty pages in; null: nowhere.</summary>
    public void LogTo(DirtyLog? log)
    {
        Pause();
        _logOutOfRange = LogOutOfRange;
        _log?.Release();
        _log = log;
    }

    /// <summary>Starts those that can run and do not.</summary>
    /// <param name="features">That the guest accepted.</param>
    /// <param name="mtu">That it was told; 0: none.</param>
    /// <param name="port">Its name, for who wants to know why one cannot.</param>
    public void StartComplete(ulong features, int mtu, string port)
    {
        foreach (var (i, vring) in _vrings.Index())
        {
            if (vring.End != null || !vring.IsComplete)
                continue;
            bool isFresh = vring.IsFresh;
            if ((vring.Start(Memory, features, mtu, _counters.Rings[i], _log) ?? _model.OnStarted(i, vring.End!, isFresh)) is not { } why)
                continue;
            if (vring.End != null)
                Stop(vring); // it could, but for what the front-end says of its past
            // It stays as it is, and is tried again: a front-end may take memory away and give it back piece by piece.
            string problem = Memory.RegionCount > 0 ? $"ring {i}: {why}"
                : $"ring {i}: the front-end shares no guest memory: start QEMU with shared memory (share=on); 'interguest qemu {port}' prints the arguments";
            if (problem != vring.StartProblem)
                _faults.Count(Memory.RegionCount > 0 ? MessageFault.RingNotMapped : MessageFault.NoSharedMemory);
            vring.StartProblem = problem;
        }
    }

    private IEnumerable<Vring> OneOfEachPair(int first) => _vrings.Where((_, i) => i % 2 == first);
}
