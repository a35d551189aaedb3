using System.Buffers.Binary;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Ports;

/// <summary>A virtio device as one connection's front-end sees it: turns its messages into changes of the port.</summary>
internal sealed class NetBackEnd(Port port) : IBackEnd, IDisposable
{
    /// <summary>What IPv4 wants at least (RFC 791), and what an IP packet can have at most.</summary>
    private const ulong MinMtu = 68, MaxMtu = 65535;

    private const int MacBytes = 6;

    private const byte FeaturesOk = 8;

    /// <summary>Called, on the control thread, when a ring that was waited for is quiet.</summary>
    public Action? Resume { get; set; }

    private MessageChannel? _requests;
    private bool _lookAgain;
    private byte _status;

    public GuestMemory Memory => port.Memory;

    private bool Packed => ((port.Accepted ?? 0) & Features.RingPacked) != 0;

    public ulong GetFeatures() => port.Offer();

    public ulong GetProtocolFeatures() => port.Model.ProtocolFeatures;

    public ulong GetQueueNum() => port.Model.QueueNum;

    public byte GetStatus() => _status;

    public Verdict SetFeatures(ulong features)
    {
        ulong foreign = features & ~port.Acceptable;
        if (foreign != 0)
            return Verdict.Refused(MessageFault.FeaturesNotOffered, $"the guest accepted what was never offered: {string.Join(", ", port.Model.NamesOf(foreign))}");
        // The same again while all is well changes nothing; otherwise it is the guest's new beginning.
        if (port.Accepted != features || port.State != PortState.Running)
            port.Accept(features);
        return Verdict.Done;
    }

    public Verdict SetProtocolFeatures(ulong features)
    {
        if ((features & ~port.Model.ProtocolFeatures) != 0)
            return Verdict.Refused(MessageFault.NotOffered, $"protocol features 0x{features & ~port.Model.ProtocolFeatures:x} were not offered");
        if (FeatureRounds.Has(features))
            port.EnterRounds();
        return Verdict.Done;
    }

    /// <summary>Asks the front-end to read its features again; as soon as it has said where it is to be asked.</summary>
    public void LookAgain() => _lookAgain = !TellConfigChanged();

    public Verdict SetMemory(GuestMemory memory)
    {
        port.Remap(memory);
        return Verdict.Done;
    }

    public Verdict SetVringNum(uint ring, uint size) =>
        size is 0 or > DeviceQueue.MaxSize || (!Packed && !uint.IsPow2(size))
            ? Verdict.Refused(MessageFault.WrongRingSize, $"a ring of {size} entries; it must be {(Packed ? "" : "a power of two ")}up to {DeviceQueue.MaxSize}")
            : OnRing(ring, v => port.Reconfigure(v, () => v.Size = (int)size));

    public Verdict SetVringAddress(uint ring, RingLayout layout, ulong? logAddress) =>
        OnRing(ring, v => port.Reconfigure(v, () => (v.Layout, v.LogAddress) = (layout, logAddress)));

    public Verdict SetVringBase(uint ring, uint index) =>
        index > ushort.MaxValue && !Packed
            ? Verdict.Refused(MessageFault.WrongRingBase, $"a ring cannot begin at {index}")
            : OnRing(ring, v => port.Reconfigure(v, () => v.Base = index));

    public Verdict StopVring(uint ring, out uint index)
    {
        uint stoppedAt = 0;
        var verdict = OnRing(ring, v => port.Reconfigure(v, () =>
        {
            port.Stop(v);
            stoppedAt = v.Base;
        }));
        index = stoppedAt;
        return verdict;
    }

    public Verdict SetVringKick(uint ring, EventFd? kick) =>
        OnRing(ring, v => port.Reconfigure(v, () => v.SetKick(kick)), kick);

    public Verdict SetVringCall(uint ring, EventFd? call) => OnRing(
        ring,
        v =>
        {
            EventFd? before = null;
            port.InLoop(() => before = v.ExchangeCall(call));
            before?.Dispose();
        },
        call);

    public Verdict SetVringError(uint ring, EventFd? error) => OnRing(ring, v => v.SetError(error), error);

    public Verdict SetVringEnable(uint ring, bool enable) => OnRing(ring, v =>
    {
        if (v.Enabled != enable)
            port.Reconfigure(v, () => v.Enabled = enable);
    });

    public Verdict SetLog(DirtyLog log)
    {
        if (!Offers(ProtocolFeatures.LogSharedMemory, out var refused))
        {
            log.Release();
            return refused;
        }
        port.LogTo(log);
        return Verdict.Done;
    }

    public Verdict ResetDevice()
    {
        _status = 0;
        port.Reset();
        return Verdict.Done;
    }

    public Verdict SetMtu(ulong mtu)
    {
        if (!Offers(ProtocolFeatures.NetMtu, out var refused))
            return refused;
        if (mtu is < MinMtu or > MaxMtu)
            return Verdict.Refused(MessageFault.WrongMtu, $"an MTU of {mtu}; it must be from {MinMtu} to {MaxMtu}");
        port.SetMtu((int)mtu);
        return Verdict.Done;
    }

    public Verdict SendRarp(ulong address)
    {
        if (!Offers(ProtocolFeatures.Rarp, out var refused))
            return refused;
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, address);
        port.Announce(bytes[..MacBytes]);
        return Verdict.Done;
    }

    public bool IsQuiet(uint ring) => port.IsQuiet(ring, Resume!);

    public byte[]? GetConfig() => port.Model.ReadConfig();

    public Verdict SetConfig(uint offset, ReadOnlySpan<byte> bytes) =>
        port.WriteConfig(offset, bytes) is { } why ? Verdict.Refused(MessageFault.WrongConfig, why) : Verdict.Done;

    public InflightRegion? GetInflight(int queues, int queueSize) => port.CreateInflight(queues, queueSize);

    public Verdict SetInflight(FileDescriptor file, ulong size, ulong offset, int queues, int queueSize) =>
        port.OpenInflight(file, size, offset, queues, queueSize) is { } why ? Verdict.Refused(MessageFault.WrongInflight, why) : Verdict.Done;

    /// <summary>Tells the front-end that the device's configuration is another one (VHOST_USER_BACKEND_CONFIG_CHANGE_MSG).</summary>
    /// <returns>Whether it could be told.</returns>
    public bool TellConfigChanged() => _requests?.TrySend(BackEndRequests.ConfigChange, [], reply: false) == true;

    public Verdict SetBackendRequests(FileDescriptor socket)
    {
        _requests?.Dispose();
        _requests = new MessageChannel(socket);
        if (_lookAgain)
            LookAgain();
        return Verdict.Done;
    }

    // But for the rounds, told for our information alone: QEMU skips states of the specification's order, and says 0 before it
    // stops the rings.
    public Verdict SetStatus(byte status)
    {
        _status = status;
        if ((status & FeaturesOk) != 0)
            port.Answer();
        return Verdict.Done;
    }

    public void Dispose() => _requests?.Dispose();

    /// <summary>Whether this type of device has what a request is about.</summary>
    private bool Offers(ulong feature, out Verdict refused)
    {
        refused = Verdict.Refused(MessageFault.NotOffered, "not a request that this device offers to serve");
        return (port.Model.ProtocolFeatures & feature) != 0;
    }

    private Verdict OnRing(uint ring, Action<Vring> action, EventFd? doorbell = null)
    {
        if (port.Ring(ring) is { } vring)
        {
            action(vring);
            return Verdict.Done;
        }
        doorbell?.Dispose();
        return Verdict.Refused(
            MessageFault.RingOutOfRange,
            $"it is about ring {ring}, and the port has {port.Model.RingCount}: "
            + (port.Model.QueuesFor(ring) is { } queues ? $"make the port with --queues {queues}, or the guest with fewer queues" : "give the guest a device of the port's type"));
    }
}
