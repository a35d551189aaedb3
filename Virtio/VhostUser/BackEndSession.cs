using System.Buffers.Binary;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.VhostUser;

/// <summary>What became of a connection.</summary>
public enum SessionState
{
    /// <summary>It goes on.</summary>
    Open,

    /// <summary>The front-end closed it.</summary>
    Closed,

    /// <summary>The front-end broke the protocol; nothing more it says can be understood.</summary>
    Broken,
}

/// <summary>
/// The back-end's side of one vhost-user connection: checks each message, calls the device's method for it, replies. A
/// message that is well-formed and cannot be done is refused, and the connection goes on; see <see cref="Refused"/>.
/// </summary>
public sealed class BackEndSession(MessageChannel channel, IBackEnd device) : IDisposable
{
    private ulong _protocolFeatures;

    /// <summary>The connection.</summary>
    public MessageChannel Channel => channel;

    /// <summary>Why the connection is broken.</summary>
    public string Problem { get; private set; } = "";

    /// <summary>Told of each message that was not done: what, and why.</summary>
    public Action<RequestCode, string>? Refused { get; init; }

    /// <summary>Handles the messages that are there, at most <paramref name="budget"/>.</summary>
    public SessionState Process(int budget)
    {
        for (; budget > 0; budget--)
        {
            switch (channel.TryReceive())
            {
                case ReceiveResult.Incomplete:
                    return SessionState.Open;
                case ReceiveResult.Closed:
                    return SessionState.Closed;
                case ReceiveResult.Violation:
                    return Break(channel.Violation);
            }
            if (MessageLayout.Validate(channel.Request, channel.Body, channel.FdCount) is { } why)
                return Break(why);
            if (!Handle())
                return Break("the front-end does not read our replies");
        }
        return SessionState.Open;
    }

    /// <inheritdoc/>
    public void Dispose() => channel.Dispose();

    private SessionState Break(string why)
    {
        Problem = why;
        return SessionState.Broken;
    }

    private bool Handle() => channel.Request switch
    {
        RequestCode.GetFeatures => Reply(device.GetFeatures()),
        RequestCode.GetProtocolFeatures => Reply(device.GetProtocolFeatures()),
        RequestCode.GetQueueNum => Reply(device.GetQueueNum()),
        RequestCode.GetMaxMemorySlots => Reply(GuestMemory.MaxRegions),
        RequestCode.GetStatus => Reply(device.GetStatus()),
        RequestCode.GetVringBase => StopVring(),
        _ => Acknowledge(Do()),
    };

    private Verdict Do() => channel.Request switch
    {
        RequestCode.SetFeatures => device.SetFeatures(MessageLayout.U64(channel.Body)),
        RequestCode.SetProtocolFeatures => SetProtocolFeatures(),
        RequestCode.SetOwner or RequestCode.ResetOwner => Verdict.Done,
        RequestCode.SetMemoryTable => SetMemoryTable(),
        RequestCode.AddMemoryRegion => AddRegion(),
        RequestCode.RemoveMemoryRegion => RemoveRegion(),
        RequestCode.SetVringNum => device.SetVringNum(U32(0), U32(4)),
        RequestCode.SetVringBase => device.SetVringBase(U32(0), U32(4)),
        RequestCode.SetVringAddress => device.SetVringAddress(U32(0), MessageLayout.Ring(channel.Body)),
        RequestCode.SetVringEnable => U32(4) <= 1
            ? device.SetVringEnable(U32(0), U32(4) == 1)
            : Verdict.Refused($"a ring can be enabled with 1 or disabled with 0, not {U32(4)}"),
        RequestCode.SetVringKick => SetDoorbell(device.SetVringKick),
        RequestCode.SetVringCall => SetDoorbell(device.SetVringCall),
        RequestCode.SetVringError => SetDoorbell(device.SetVringError),
        RequestCode.SetBackendRequestFd => device.SetBackendRequests(channel.TakeFd()),
        RequestCode.SetStatus => device.SetStatus((byte)MessageLayout.U64(channel.Body)),
        _ => Verdict.Refused("not a request that this back-end offers to serve"),
    };

    private uint U32(int at) => MessageLayout.U32(channel.Body, at);

    private Verdict SetProtocolFeatures()
    {
        ulong features = MessageLayout.U64(channel.Body);
        var verdict = device.SetProtocolFeatures(features);
        if (verdict.Refusal == null)
            _protocolFeatures = features;
        return verdict;
    }

    private Verdict SetMemoryTable()
    {
        uint count = U32(0);
        if (count > MessageLayout.MaxTableRegions)
            return Verdict.Refused($"a memory table of {count} regions, more than {MessageLayout.MaxTableRegions}");
        var memory = GuestMemory.Empty;
        for (int i = 0; i < count; i++)
        {
            using var file = channel.TakeFd();
            var next = memory.TryAdd(MessageLayout.Region(channel.Body, MessageLayout.TableHeadBytes + i * MessageLayout.RegionBytes), file, out string why);
            memory.Release();
            if (next == null)
                return Verdict.Refused(why);
            memory = next;
        }
        return device.SetMemory(memory);
    }

    private Verdict AddRegion()
    {
        using var file = channel.TakeFd();
        var memory = device.Memory.TryAdd(MessageLayout.Region(channel.Body, MessageLayout.TableHeadBytes), file, out string why);
        if (memory == null)
            return Verdict.Refused(why);
        if (memory != device.Memory)
            return device.SetMemory(memory);
        memory.Release();
        return Verdict.Done;
    }

    // QEMU before 10 adds and removes each region once per queue pair: what is so already is done.
    private Verdict RemoveRegion() =>
        device.Memory.TryRemove(MessageLayout.Region(channel.Body, MessageLayout.TableHeadBytes)) is { } memory
            ? device.SetMemory(memory)
            : Verdict.Done;

    private Verdict SetDoorbell(Func<uint, EventFd?, Verdict> set)
    {
        ulong value = MessageLayout.U64(channel.Body);
        uint ring = (uint)(value & 0xff);
        if ((value & MessageLayout.NoFd) != 0)
            return set(ring, null);
        var fd = channel.TakeFd();
        if (EventFd.TryAdopt(fd) is { } doorbell)
            return set(ring, doorbell);
        fd.Dispose();
        return Verdict.Refused($"the descriptor sent with it is not an eventfd");
    }

    private bool StopVring()
    {
        uint ring = U32(0);
        var verdict = device.StopVring(ring, out uint index);
        if (verdict.Refusal is { } why)
            Refused?.Invoke(channel.Request, why);
        Span<byte> body = stackalloc byte[MessageLayout.VringStateBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(body, ring);
        BinaryPrimitives.WriteUInt32LittleEndian(body[4..], index);
        return channel.TrySend(channel.Request, body, reply: true);
    }

    private bool Acknowledge(Verdict verdict)
    {
        if (verdict.Refusal is { } why)
            Refused?.Invoke(channel.Request, why);
        bool wanted = channel.NeedsReply && (_protocolFeatures & ProtocolFeatures.ReplyAck) != 0;
        return !wanted || Reply(verdict.Refusal == null ? 0UL : 1UL);
    }

    private bool Reply(ulong value)
    {
        Span<byte> body = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(body, value);
        return channel.TrySend(channel.Request, body, reply: true);
    }
}
