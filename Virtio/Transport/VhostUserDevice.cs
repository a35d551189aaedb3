using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Transport;

/// <summary>
/// A device behind a vhost-user socket, driven by a guest that is a process: this is both the driver and its front-end, as
/// DPDK's virtio-user is.
/// </summary>
public sealed class VhostUserDevice : DriverDevice
{
    private const ulong CallToken = FirstToken, SocketToken = FirstToken + 1, BackEndToken = FirstToken + 2;
    private const int LargestQueue = 1024;
    private const byte DriverOk = 0x0f; // ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK (VIRTIO 1.2, 2.1)

    private const ulong Protocol =
        ProtocolFeatures.Multiqueue | ProtocolFeatures.ReplyAck | ProtocolFeatures.ConfigureMemorySlots | ProtocolFeatures.Status
        | ProtocolFeatures.BackendRequests | ProtocolFeatures.Config;

    private const ulong ProtocolBit = Devices.Features.VhostUserProtocolFeatures;

    private readonly DriverMemory _memory;
    private readonly FrontEnd _frontEnd;
    private readonly EventFd _call = EventFd.Create();
    private readonly List<EventFd> _kicks = [];
    private readonly int? _roundsBit;
    private ulong _features;
    private ulong _protocol;
    private MessageChannel? _backEnd;
    private FeatureRounds? _rounds;

    private VhostUserDevice(DriverMemory memory, FrontEnd frontEnd, int? roundsBit)
    {
        (_memory, _frontEnd, _roundsBit) = (memory, frontEnd, roundsBit);
        Poller.Add(_call.Descriptor, PollInterest.Readable, CallToken);
    }

    /// <inheritdoc/>
    public override DmaMemory Memory => _memory;

    /// <inheritdoc/>
    public override ulong Offered => _features & ~ProtocolBit;

    /// <summary>Connects to a back-end and asks what it offers.</summary>
    /// <param name="path">Where it listens.</param>
    /// <param name="memory">The guest's memory; not owned.</param>
    /// <param name="timeout">How long it may take to answer a message.</param>
    /// <param name="roundsBit">The number of VIRTIO_F_MULTI_ROUND, as the back-end has it; null: features are accepted once.</param>
    /// <exception cref="NativeException">Nobody listens there.</exception>
    /// <exception cref="DeviceLostException">It does not answer.</exception>
    public static VhostUserDevice Connect(string path, DriverMemory memory, TimeSpan timeout, int? roundsBit = null)
    {
        var device = new VhostUserDevice(memory, FrontEnd.Connect(path, timeout), roundsBit);
        try
        {
            Ask(device.Agree);
            return device;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override int MaxQueueSize(int queue) => LargestQueue;

    /// <inheritdoc/>
    public override bool TryAccept(ulong wanted)
    {
        bool isLast = true;
        Ask(() => isLast = Accept(wanted | ProtocolBit));
        Accepted = Offered & wanted;
        return isLast;
    }

    /// <inheritdoc/>
    public override void Start(IReadOnlyList<DriverQueue> queues) => Ask(() =>
    {
        _frontEnd.SetMemoryTable((_memory.Layout, _memory.File));
        for (int i = 0; i < queues.Count; i++)
            StartRing((uint)i, queues[i]);
        if ((_features & ProtocolBit) != 0)
            for (int i = 0; i < queues.Count; i++)
                _frontEnd.SetVring(RequestCode.SetVringEnable, (uint)i, 1);
        if ((_protocol & ProtocolFeatures.Status) != 0)
            _frontEnd.Set(RequestCode.SetStatus, DriverOk);
    });

    /// <inheritdoc/>
    public override void Reset() => Ask(() =>
    {
        for (int i = 0; i < _kicks.Count; i++)
            _frontEnd.StopVring((uint)i);
        if ((_protocol & ProtocolFeatures.Status) != 0)
            _frontEnd.Set(RequestCode.SetStatus, 0);
        _kicks.ForEach(k => k.Dispose());
        _kicks.Clear();
        IsToLookAgain = false;
        base.Reset();
    });

    /// <inheritdoc/>
    public override void Kick(int queue) => _kicks[queue].Signal();

    /// <inheritdoc/>
    public override void ReadConfiguration(int offset, Span<byte> bytes)
    {
        if ((_protocol & ProtocolFeatures.Config) == 0)
            throw new DeviceLostException("the device has no configuration space");
        byte[] read = new byte[bytes.Length];
        Ask(() => _frontEnd.GetConfiguration(offset, read));
        read.CopyTo(bytes);
    }

    /// <inheritdoc/>
    protected override void OnEvent(ulong token)
    {
        if (token == CallToken)
            _call.Drain();
        else if (token == SocketToken)
            throw new DeviceLostException("the switch closed the connection");
        else if (_rounds != null)
            Ask(() => IsToLookAgain |= _rounds.TryLookAgain());
        else
            Listen();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _frontEnd.Dispose();
        _rounds?.Dispose();
        _backEnd?.Dispose();
        _kicks.ForEach(k => k.Dispose());
        _call.Dispose();
    }

    private void Agree()
    {
        _features = _frontEnd.Get(RequestCode.GetFeatures);
        if ((_features & ProtocolBit) != 0)
        {
            _protocol = _frontEnd.Get(RequestCode.GetProtocolFeatures) & (Protocol | (_roundsBit != null ? FeatureRounds.ProtocolFeature : 0));
            _frontEnd.Set(RequestCode.SetProtocolFeatures, _protocol);
        }
        _frontEnd.Do(RequestCode.SetOwner, []);
        if (FeatureRounds.Has(_protocol))
            EnterRounds();
        else if ((_protocol & ProtocolFeatures.BackendRequests) != 0)
            OpenBackEndChannel();
        // What comes between two calls is its end.
        Poller.Add(_frontEnd.Connection, PollInterest.Readable, SocketToken);
    }

    private void EnterRounds()
    {
        _rounds = FeatureRounds.Begin(_frontEnd, _roundsBit!.Value);
        Poller.Add(_rounds.Requests, PollInterest.Readable, BackEndToken);
    }

    /// <returns>Whether the offer was the last.</returns>
    private bool Accept(ulong wanted)
    {
        if (_rounds == null)
        {
            _frontEnd.Set(RequestCode.SetFeatures, _features & wanted);
            return true;
        }
        bool isLast = _rounds.Answer(offer => offer & wanted) != null;
        _features = _rounds.Offer;
        return isLast;
    }

    private void OpenBackEndChannel()
    {
        var (ours, theirs) = UnixSocket.Pair();
        _backEnd = new MessageChannel(ours);
        using (theirs)
            _frontEnd.Do(RequestCode.SetBackendRequestFd, [], theirs);
        Poller.Add(ours, PollInterest.Readable, BackEndToken);
    }

    /// <summary>Hears what the back-end has to say by itself: of interest is that the configuration changed.</summary>
    private void Listen()
    {
        ReceiveResult result;
        while ((result = _backEnd!.TryReceive()) == ReceiveResult.Message)
        {
            bool known = _backEnd.Request == BackEndRequests.ConfigChange;
            ConfigurationChanged |= known;
            if (_backEnd.NeedsReply)
                _backEnd.TrySend(_backEnd.Request, known ? new byte[sizeof(ulong)] : [1, 0, 0, 0, 0, 0, 0, 0], reply: true);
        }
        if (result is ReceiveResult.Closed or ReceiveResult.Violation)
            Poller.Remove(_backEnd.Socket); // the main connection says what is the matter
    }

    private void StartRing(uint ring, DriverQueue queue)
    {
        var kick = EventFd.Create();
        _kicks.Add(kick);
        _frontEnd.SetVring(RequestCode.SetVringNum, ring, (uint)queue.Size);
        _frontEnd.SetVring(RequestCode.SetVringBase, ring, queue.InitialState);
        _frontEnd.SetVringAddress(ring, queue.Layout);
        _frontEnd.Set(RequestCode.SetVringKick, ring, kick.Descriptor);
        _frontEnd.Set(RequestCode.SetVringCall, ring, _call.Descriptor);
    }

    /// <summary>A front-end whose back-end fails has lost its device.</summary>
    private static void Ask(Action action)
    {
        try
        {
            action();
        }
        catch (IOException e) when (e is not DeviceLostException)
        {
            throw new DeviceLostException(e.Message, e);
        }
    }
}
