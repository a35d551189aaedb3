using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Switch.Negotiation;
using InterGuest.Switch.Negotiation.Replug;
using InterGuest.Switch.Ports.Models;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Ports;

/// <summary>
/// One device of one guest: its life, its memory, its rings. What the front-end says comes in through
/// <see cref="NetBackEnd"/>, connections through <see cref="PortSocket"/>. Used on the control thread alone.
/// </summary>
public sealed class Port : IDisposable
{
    /// <summary>How long a front-end that stops a ring waits for requests that are on their way. Its guest stands still.</summary>
    private static readonly TimeSpan RestWithin = TimeSpan.FromSeconds(5);

    private readonly IPortHost _host;
    private readonly Reactor _reactor;
    private readonly PortRings _rings;
    private readonly PortSocket _socket;
    private string _fault = "";
    private bool _ranBefore;

    /// <summary>Makes the port and opens its socket.</summary>
    /// <exception cref="SwitchException">The socket cannot be opened.</exception>
    internal Port(string name, PortSpec spec, ulong offeredBefore, BlockAnnouncement? disk, IPortHost host, Reactor reactor, TimeProvider time)
    {
        (Name, Spec, Offered, _host, _reactor) = (name, spec, offeredBefore, host, reactor);
        Model = PortModel.For(spec, disk);
        Counters = new PortCounters(Model.RingCount);
        _rings = new PortRings(Model, Counters, MessageFaults);
        StateSince = time.GetUtcNow();
        _socket = new PortSocket(this, reactor, time);
        Carrier = new PortCarrier(this, _socket, reactor);
        Time = time;
        State = IdleState;
        Limit();
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>What its owner asked for.</summary>
    public PortSpec Spec { get; private set; }

    /// <summary>Holds its guest to the rate; null: there is none.</summary>
    internal RateLimit? RateLimit { get; private set; }

    /// <summary>Where it is in its life.</summary>
    public PortState State { get; private set; }

    /// <summary>Since when.</summary>
    public DateTimeOffset StateSince { get; private set; }

    /// <summary>Why it is faulted; empty if it is not.</summary>
    public string FaultReason => _fault != "" ? _fault : _rings.Problem;

    /// <summary>All features ever offered on this port.</summary>
    public ulong Offered { get; private set; }

    /// <summary>The features that the guest accepted; null: none has said so on this connection.</summary>
    public ulong? Accepted { get; private set; }

    /// <summary>What this end has read and said in the negotiation of its link.</summary>
    public RoundEnd Round { get; private set; } = RoundEnd.Nobody;

    /// <summary>Where its VMM listens for QMP commands; empty: nobody has said.</summary>
    public string QmpSocket { get; internal set; } = "";

    /// <summary>The last re-plug of its device; null: there was none.</summary>
    public ReplugProgress? Replug { get; internal set; }

    /// <summary>The guest's memory.</summary>
    public GuestMemory Memory => _rings.Memory;

    /// <summary>What its queues did.</summary>
    public PortCounters Counters { get; }

    /// <summary>Connections that a front-end has made.</summary>
    public long Connections => Counters.Connections;

    /// <summary>Messages that were not done.</summary>
    public long RefusedMessages => Counters.RefusedMessages;

    /// <summary>What its front-ends did wrong, by kind.</summary>
    public MessageFaults MessageFaults { get; } = new();

    /// <summary>The MTU that the front-end has told its guest; 0: it has not said.</summary>
    public int Mtu { get; private set; }

    /// <summary>Writes that the front-end's log of dirty pages had no bit for: it was too small.</summary>
    public long LogOutOfRange => _rings.LogOutOfRange;

    /// <summary>Process and user of the front-end; null if none is connected.</summary>
    public (int Pid, uint Uid)? FrontEnd => _socket.FrontEnd;

    /// <summary>Process and user of a front-end that waits until the first is gone; null if none does.</summary>
    public (int Pid, uint Uid)? WaitingFrontEnd => _socket.WaitingFrontEnd;

    /// <summary>Pairs of rings that run; of a block device, rings.</summary>
    public int RunningPairs => _rings.Running;

    /// <summary>What its type decides.</summary>
    internal PortModel Model { get; }

    /// <summary>What the front-end said last on its connection, when, and how much it has said so far; null: nothing.</summary>
    public (RequestCode Request, DateTimeOffset Time, long Count)? LastMessage { get; private set; }

    /// <summary>When the last connection ended, and what the front-end did wrong, if it was that; null: none has.</summary>
    public (DateTimeOffset Time, string Problem)? LastDisconnect { get; private set; }

    /// <summary>Why the last attempt to connect failed; empty if it did not.</summary>
    public string ConnectError { get; internal set; } = "";

    /// <summary>The device status as the front-end told it; 0 if it did not.</summary>
    public byte DeviceStatus => _socket.DeviceStatus;

    internal TimeProvider Time { get; }

    internal SocketKeeper Sockets => _host.Sockets;

    /// <summary>The carrier that its guest sees.</summary>
    internal PortCarrier Carrier { get; }

    /// <summary>Whether a front-end may connect.</summary>
    internal bool CanConnect => Model.CanConnect && !Carrier.IsCut;

    private PortState IdleState => !CanConnect ? PortState.Waiting : Spec.Mode == SocketMode.Listen ? PortState.Listening : PortState.Connecting;

    /// <summary>The queues that take frames for the guest, those that run.</summary>
    public IReadOnlyList<QueueEnd> ReceiveEnds => _rings.ReceiveEnds;

    /// <summary>The queues that the guest sends on, and whether each is enabled: a started one must be emptied either way.</summary>
    public IReadOnlyList<(QueueEnd End, bool Enabled)> TransmitEnds => _rings.TransmitEnds;

    /// <summary>All queues that are started, in their order, and whether each is enabled.</summary>
    public IReadOnlyList<(int Ring, QueueEnd End, bool Enabled)> StartedEnds => _rings.StartedEnds;

    /// <summary>Ends the port: closes the socket, lets go of rings and memory. Not while a join uses them.</summary>
    public void Dispose()
    {
        Carrier.Dispose();
        _socket.Dispose();
        DropGuest();
    }

    /// <summary>A guest broke the rules of a ring: it stops, the rest of the port goes on.</summary>
    internal void OnRingFault(QueueEnd end, QueueFault fault)
    {
        int ring = _rings.IndexOf(end);
        if (ring < 0 || Ring((uint)ring) is not { } vring)
            return; // stopped meanwhile
        vring.SignalError();
        Change(() =>
        {
            Stop(vring);
            _fault = $"ring {ring} ({Model.NameOf(ring)}): {fault}. Reset the device in the guest, or restart the guest";
        });
    }

    /// <summary>Stops a ring until the front-end kicks it anew. While no join uses it.</summary>
    internal void Stop(Vring vring) => _rings.Stop(vring);

    /// <summary>The device is another one, or one at last: whoever waits for it may connect.</summary>
    internal void OnDeviceChanged(bool tellGuest)
    {
        if (tellGuest)
            _socket.TellConfigChanged();
        Reopen();
    }

    /// <summary>Opens the socket, if it is not and may be.</summary>
    internal void Reopen()
    {
        if (_socket.TryOpen() is { } problem)
            _fault = problem;
        Update();
    }

    /// <summary>The driver has written into the device's configuration.</summary>
    internal string? WriteConfig(uint offset, ReadOnlySpan<byte> bytes)
    {
        string? problem = Model.WriteConfig(offset, bytes);
        Change(() => Model.OnConfigured(Accepted ?? 0));
        return problem;
    }

    internal void OnConnected()
    {
        Carrier.OnConnected();
        Model.OnConnected();
        Counters.Connected();
        _fault = "";
        _ranBefore = false;
        (LastMessage, ConnectError) = (null, "");
        Update();
    }

    /// <summary>Remembers how far the front-end has come.</summary>
    internal void OnMessages(RequestCode last, long count)
    {
        if (count > (LastMessage?.Count ?? 0))
            LastMessage = (last, Time.GetUtcNow(), count);
    }

    /// <summary>Tells the owner of something that does not change the port's state.</summary>
    internal void Notice(string what) => _host.Notice(this, what);

    /// <param name="problem">What the front-end did wrong, if it was that which ended the connection.</param>
    internal void OnDisconnected(Verdict problem)
    {
        LastDisconnect = (Time.GetUtcNow(), problem.Refusal ?? "");
        Change(() =>
        {
            DropGuest();
            if (problem.Refusal != null)
                Fault(problem.Fault, problem.Refusal);
        });
    }

    internal void OnRefused(RequestCode request, Verdict why)
    {
        Counters.Refused();
        Fault(why.Fault, $"{request}: {why.Refusal}");
        Update();
    }

    /// <summary>The front-end sends more than any needs; its messages wait.</summary>
    internal void OnFlood() => MessageFaults.Count(MessageFault.MessageFlood);

    internal ulong Offer()
    {
        ulong offer = _host.Offer(this);
        if (Round.Kind == RoundKind.Rounds)
        {
            // It is shown to the driver as it is, and may be less the next time.
            Round = Round.Reads(offer);
            Update();
            return offer;
        }
        offer |= Offered;
        if (offer != Offered)
        {
            Offered = offer;
            _host.OfferGrew(this);
        }
        return offer;
    }

    /// <summary>The front-end reads features again when it is told to: it has entered the rounds.</summary>
    internal void EnterRounds()
    {
        if (Round.Kind == RoundKind.Rounds)
            return;
        Round = Round.Arrive(Counters.Connections);
        Update();
    }

    /// <summary>The driver has set FEATURES_OK: what it accepted is its answer to the offer that was read last.</summary>
    internal void Answer()
    {
        if (Round is not { Kind: RoundKind.Rounds, Read: not null } || Accepted is not { } features)
            return;
        Round = Round.Takes(features, _host.RoundsBit);
        Update();
    }

    /// <summary>The features that may be accepted: of the offer that was read last, or ever.</summary>
    internal ulong Acceptable => Round is { Kind: RoundKind.Rounds, Read: { } offer } ? offer : Offered | Features.VhostUserProtocolFeatures;

    /// <summary>Asks the front-end to read its features again.</summary>
    internal void LookAgain() => _socket.LookAgain();

    internal Vring? Ring(uint index) => _rings[index];

    internal void Accept(ulong features) => Change(() =>
    {
        _rings.Pause();
        // Without bit 30 there is no SET_VRING_ENABLE: rings begin enabled.
        if ((features & Features.VhostUserProtocolFeatures) == 0)
            _rings.Enable();
        Accepted = features;
        Model.OnConfigured(features);
        if (Round.Kind != RoundKind.Rounds)
            Round = Round.Accepts(Counters.Connections, Offered, features);
        _fault = "";
        _ranBefore = false;
    });

    /// <summary>All rings stop and are forgotten; memory, the log and the front-end's error doorbells stay.</summary>
    internal void Reset() => Change(() =>
    {
        _rings.Reset();
        Accepted = null;
        Round = Round.Kind == RoundKind.Rounds ? Round with { Taken = null } : Round.Leave();
        _fault = "";
        _ranBefore = false;
    });

    /// <summary>Another place to note dirty pages in, from now on.</summary>
    internal void LogTo(DirtyLog? log) => Change(() => _rings.LogTo(log));

    /// <summary>Has its guest's carrier follow the peer from now on, or not any more.</summary>
    internal void SetFollowsPeer(bool follows)
    {
        Spec = Spec with { FollowsPeer = follows };
        Update();
    }

    /// <summary>Holds the guest to other limits from now on.</summary>
    internal void SetLimits(PortLimits limits) => Change(() =>
    {
        Spec = Spec with { Limits = limits };
        Limit();
    });

    internal void SetMtu(int mtu) => Change(() =>
    {
        _rings.Pause();
        Mtu = mtu;
    });

    /// <summary>Tells the other end of the link that the guest with this MAC address is here now.</summary>
    internal void Announce(ReadOnlySpan<byte> address) => _host.Announce(this, RarpFrame.For(address));

    internal void Remap(GuestMemory memory) => Change(() => _rings.Remap(memory));

    /// <summary>Changes something about a ring that may be running; it goes on afterwards where it was, if it can.</summary>
    internal void Reconfigure(Vring vring, Action change) => Change(() =>
    {
        vring.Pause();
        change();
    });

    /// <summary>Lets a ring come to rest, which may take until <see cref="RestWithin"/>.</summary>
    /// <param name="index">Of the ring.</param>
    /// <param name="rested">Called on the control thread when it has, if it has not yet.</param>
    /// <returns>Whether it has.</returns>
    internal bool IsQuiet(uint index, Action rested)
    {
        if (Model is not BlockModel { Client: var client } || client.FindQueue((int)index) is not { } queue || Ring(index)?.End is not { } end)
            return true;
        bool isIdle = false;
        InLoop(() =>
        {
            isIdle = queue.IsIdle;
            queue.IsDraining = true;
            queue.Drained ??= isIdle ? null : () => _reactor.Post(rested);
        });
        if (isIdle || queue.IsGivingUp)
            return isIdle;
        queue.IsGivingUp = true;
        _reactor.After(RestWithin, () => GiveUp(queue, end));
        return false;
    }

    /// <summary>A front-end waits for a ring to stop, and its guest does: what the server has not answered fails.</summary>
    private void GiveUp(ClientQueue queue, QueueEnd end)
    {
        queue.IsGivingUp = false;
        if (!queue.IsDraining || _rings.IndexOf(end) < 0)
            return;
        _host.Pause(this);
        try
        {
            queue.End = end;
            queue.FailAll((SplitQueue)end.Queue);
        }
        finally
        {
            _host.Resume(this);
        }
        if (queue.Client.HasOrphans)
            _host.Abandon(this);
    }

    /// <summary>Makes an inflight region for the front-end to keep. Rings that run do without it.</summary>
    internal InflightRegion? CreateInflight(int queues, int queueSize)
    {
        InflightRegion? region = null;
        Change(() => region = Model.CreateInflight(queues, queueSize));
        return region;
    }

    /// <summary>Takes an inflight region that the front-end has kept.</summary>
    internal string? OpenInflight(FileDescriptor file, ulong size, ulong offset, int queues, int queueSize)
    {
        string? problem = null;
        Change(() => problem = Model.OpenInflight(file, size, offset, queues, queueSize));
        return problem;
    }

    internal void InLoop(Action action) => _host.InLoop(this, action);

    /// <summary>Takes the rings out of the data path, does something to them, starts those that can run, puts them back.</summary>
    private void Change(Action change)
    {
        _host.Pause(this);
        try
        {
            change();
            _rings.StartComplete(Accepted ?? 0, Mtu, Name);
        }
        finally
        {
            Update();
            _host.Resume(this);
        }
    }

    private void Limit()
    {
        var limits = Spec.Limits;
        RateLimit = limits.Rate == 0 ? null : new RateLimit(limits.Rate, limits.BurstBytes, Time, Counters);
        if (Model is BlockModel { Client: var client })
            client.MaxBytesOut = (long)limits.InFlight;
    }

    private void Fault(MessageFault fault, string reason)
    {
        MessageFaults.Count(fault);
        _fault = reason;
    }

    private void Update()
    {
        var state = FaultReason != "" ? PortState.Faulted : _socket.FrontEnd == null ? IdleState : GuestState();
        _ranBefore |= state == PortState.Running;
        if (state != State)
        {
            State = state;
            StateSince = Time.GetUtcNow();
        }
        _host.Changed(this);
    }

    private PortState GuestState() =>
        RunningPairs > 0 ? PortState.Running
        : _ranBefore ? PortState.Stopped
        : Accepted != null || Memory.RegionCount > 0 ? PortState.Negotiating
        : PortState.Connected;

    private void DropGuest()
    {
        _rings.Forget();
        Accepted = null;
        Mtu = 0;
        Model.OnDisconnected();
        Round = Round.Leave();
    }
}
