using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.VhostUser;

/// <summary>
/// Does what a front-end's message asks for, the message that its channel has received last: takes it apart, with the
/// descriptors that came along, and calls the device's method for it.
/// </summary>
internal sealed class Requests(MessageChannel channel, IBackEnd device)
{
    /// <summary>The protocol features in force.</summary>
    public ulong ProtocolFeatures { get; private set; }

    /// <summary>Does it, for every request that is not a question.</summary>
    public Verdict Do() => channel.Request switch
    {
        RequestCode.SetFeatures => device.SetFeatures(MessageLayout.U64(channel.Body)),
        RequestCode.SetProtocolFeatures => SetProtocolFeatures(),
        RequestCode.SetOwner or RequestCode.ResetOwner => Verdict.Done,
        RequestCode.ResetDevice => device.ResetDevice(),
        RequestCode.SetMemoryTable => SetMemoryTable(),
        RequestCode.AddMemoryRegion => AddRegion(),
        RequestCode.RemoveMemoryRegion => RemoveRegion(),
        RequestCode.SetVringNum => device.SetVringNum(U32(0), U32(4)),
        RequestCode.SetVringBase => device.SetVringBase(U32(0), U32(4)),
        RequestCode.SetVringAddress => SetVringAddress(),
        RequestCode.SetVringEnable => U32(4) <= 1
            ? device.SetVringEnable(U32(0), U32(4) == 1)
            : Verdict.Refused(MessageFault.WrongRingState, $"a ring can be enabled with 1 or disabled with 0, not {U32(4)}"),
        RequestCode.SetVringKick => SetDoorbell(device.SetVringKick),
        RequestCode.SetVringCall => SetDoorbell(device.SetVringCall),
        RequestCode.SetVringError => SetDoorbell(device.SetVringError),
        RequestCode.SetBackendRequestFd => SetBackendRequests(),
        RequestCode.SetStatus => device.SetStatus((byte)MessageLayout.U64(channel.Body)),
        RequestCode.SetConfig => DeviceMessages.SetConfig(channel, device),
        RequestCode.SetInflightFd => DeviceMessages.SetInflight(channel, device),
        RequestCode.SetLogBase => SetLogBase(),
        RequestCode.SetLogFd => SetLogFd(),
        RequestCode.NetSetMtu => device.SetMtu(MessageLayout.U64(channel.Body)),
        RequestCode.SendRarp => device.SendRarp(MessageLayout.U64(channel.Body)),
        _ => Verdict.Refused(MessageFault.NotOffered, "not a request that this back-end offers to serve"),
    };

    private uint U32(int at) => MessageLayout.U32(channel.Body, at);

    private Verdict SetProtocolFeatures()
    {
        ulong features = MessageLayout.U64(channel.Body);
        var verdict = device.SetProtocolFeatures(features);
        if (verdict.Refusal == null)
            ProtocolFeatures = features;
        return verdict;
    }

    private Verdict SetMemoryTable()
    {
        uint count = U32(0);
        if (count > MessageLayout.MaxTableRegions)
            return Verdict.Refused(MessageFault.TooManyRegions, $"a memory table of {count} regions, more than {MessageLayout.MaxTableRegions}");
        var memory = GuestMemory.Empty;
        for (int i = 0; i < count; i++)
        {
            using var file = channel.TakeFd();
            var layout = MessageLayout.Region(channel.Body, MessageLayout.TableHeadBytes + i * MessageLayout.RegionBytes);
            var next = memory.TryAdd(layout, file, out var fault, out string why);
            memory.Release();
            if (next == null)
                return Verdict.Refused(FaultOf(fault), why);
            memory = next;
        }
        return device.SetMemory(memory);
    }

    private Verdict AddRegion()
    {
        using var file = channel.TakeFd();
        var layout = MessageLayout.Region(channel.Body, MessageLayout.TableHeadBytes);
        var memory = device.Memory.TryAdd(layout, file, out var fault, out string why);
        if (memory == null)
            return Verdict.Refused(FaultOf(fault), why);
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

    private Verdict SetVringAddress()
    {
        var layout = MessageLayout.Ring(channel.Body);
        return RingLayout.IsAligned((nuint)layout.Descriptors, (nuint)layout.Available, (nuint)layout.Used, packed: false)
            ? device.SetVringAddress(U32(0), layout, MessageLayout.LogAddress(channel.Body))
            : Verdict.Refused(MessageFault.RingMisaligned, $"an area of ring {U32(0)} is not aligned: {layout}");
    }

    private Verdict SetDoorbell(Func<uint, EventFd?, Verdict> set)
    {
        ulong value = MessageLayout.U64(channel.Body);
        uint ring = (uint)(value & 0xff);
        if ((value & MessageLayout.NoFd) != 0)
            return set(ring, null);
        return TakeDoorbell(out var doorbell) is { } refused ? refused : set(ring, doorbell);
    }

    private Verdict? TakeDoorbell(out EventFd? doorbell)
    {
        var fd = channel.TakeFd();
        doorbell = EventFd.TryAdopt(fd);
        if (doorbell != null)
            return null;
        fd.Dispose();
        return Verdict.Refused(MessageFault.NotAnEventFd, "the descriptor sent with it is not an eventfd");
    }

    private Verdict SetBackendRequests()
    {
        var fd = channel.TakeFd();
        if (UnixSocket.IsSocket(fd))
            return device.SetBackendRequests(fd);
        fd.Dispose();
        return Verdict.Refused(MessageFault.NotASocket, "the descriptor sent with it is not a socket");
    }

    private Verdict SetLogBase()
    {
        using var file = channel.TakeFd();
        return DirtyLog.TryMap(file, MessageLayout.U64(channel.Body, 8), MessageLayout.U64(channel.Body), out var fault, out string why) is { } log
            ? device.SetLog(log)
            : Verdict.Refused(fault == RegionFault.OutsideFile ? MessageFault.LogOutsideFile : FaultOf(fault), why);
    }

    // Nobody who asks for the log in shared memory waits to be told of it; QEMU never sends this. Taken, and checked.
    private Verdict SetLogFd()
    {
        var refused = TakeDoorbell(out var doorbell);
        doorbell?.Dispose();
        return refused ?? Verdict.Done;
    }

    private static MessageFault FaultOf(RegionFault fault) => fault switch
    {
        RegionFault.Wraps => MessageFault.RegionWraps,
        RegionFault.TooMany => MessageFault.TooManyRegions,
        RegionFault.Overlaps => MessageFault.RegionOverlaps,
        RegionFault.NotAFile => MessageFault.NotAMemoryFile,
        RegionFault.OutsideFile => MessageFault.RegionOutsideFile,
        RegionFault.CanShrink => MessageFault.RegionCanShrink,
        _ => MessageFault.RegionNotMapped,
    };
}
