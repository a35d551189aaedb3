using System.Buffers.Binary;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.VhostUser;

/// <summary>How messages and their parts are laid out on the socket: little-endian, no padding but what is said.</summary>
internal static class MessageLayout
{
    internal const int HeaderBytes = 12, MaxBodyBytes = 4096, MaxFds = 32;
    internal const uint Version = 1, VersionMask = 3, ReplyFlag = 4, NeedReplyFlag = 8;
    internal const int RegionBytes = 32, TableHeadBytes = 8, VringStateBytes = 8, VringAddressBytes = 40, LogBytes = 16, MaxTableRegions = 8;

    /// <summary>In the u64 of SET_VRING_KICK, CALL and ERR: no descriptor is sent.</summary>
    internal const ulong NoFd = 1 << 8;

    /// <summary>VHOST_VRING_F_LOG, in a vring address description's flags.</summary>
    internal const uint LogFlag = 1;

    internal static void WriteHeader(Span<byte> to, RequestCode request, uint flags, int size)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to, (uint)request);
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(to[8..], (uint)size);
    }

    internal static uint U32(ReadOnlySpan<byte> body, int at) => BinaryPrimitives.ReadUInt32LittleEndian(body[at..]);

    internal static ulong U64(ReadOnlySpan<byte> body, int at = 0) => BinaryPrimitives.ReadUInt64LittleEndian(body[at..]);

    internal static RegionLayout Region(ReadOnlySpan<byte> body, int at) =>
        new(U64(body, at), U64(body, at + 8), U64(body, at + 16), U64(body, at + 24));

    internal static void WriteRegion(Span<byte> to, RegionLayout region)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, region.GuestAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], region.Size);
        BinaryPrimitives.WriteUInt64LittleEndian(to[16..], region.UserAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(to[24..], region.FileOffset);
    }

    /// <summary>The ring areas of a vring address description: u32 index, u32 flags, then descriptors, used, available, log.</summary>
    internal static RingLayout Ring(ReadOnlySpan<byte> body) =>
        new(Descriptors: U64(body, 8), Available: U64(body, 24), Used: U64(body, 16));

    /// <summary>The log address of a vring address description, if its flag VHOST_VRING_F_LOG is set; else null.</summary>
    internal static ulong? LogAddress(ReadOnlySpan<byte> body) => (U32(body, 4) & LogFlag) != 0 ? U64(body, 32) : null;

    /// <summary>Why a request's body or descriptors cannot be right; null if they can.</summary>
    internal static Verdict? Validate(RequestCode request, ReadOnlySpan<byte> body, int fds)
    {
        var shape = Shape(request, body);
        if (shape is not var (size, wantedFds))
            return null; // not one of ours: whoever handles it refuses it
        if (body.Length != size)
            return Verdict.Refused(MessageFault.WrongMessageSize, $"{request} with a body of {body.Length} bytes instead of {size}");
        return wantedFds >= 0 && fds != wantedFds
            ? Verdict.Refused(MessageFault.WrongDescriptorCount, $"{request} with {fds} file descriptors instead of {wantedFds}")
            : null;
    }

    private static (int Size, int Fds)? Shape(RequestCode request, ReadOnlySpan<byte> body) => request switch
    {
        RequestCode.GetFeatures or RequestCode.GetProtocolFeatures or RequestCode.GetQueueNum or RequestCode.GetMaxMemorySlots
            or RequestCode.GetStatus or RequestCode.SetOwner or RequestCode.ResetOwner or RequestCode.ResetDevice => (0, 0),
        RequestCode.SetFeatures or RequestCode.SetProtocolFeatures or RequestCode.SetStatus or RequestCode.NetSetMtu or RequestCode.SendRarp => (8, 0),
        RequestCode.SetLogBase => (LogBytes, 1),
        RequestCode.SetVringNum or RequestCode.SetVringBase or RequestCode.GetVringBase or RequestCode.SetVringEnable => (VringStateBytes, 0),
        RequestCode.SetVringAddress => (VringAddressBytes, 0),
        RequestCode.SetVringKick or RequestCode.SetVringCall or RequestCode.SetVringError =>
            (8, body.Length == 8 && (U64(body) & NoFd) != 0 ? 0 : 1),
        RequestCode.SetMemoryTable => TableShape(body),
        RequestCode.AddMemoryRegion => (TableHeadBytes + RegionBytes, 1),
        // The specification lets the front-end send the region's descriptor along; it is closed.
        RequestCode.RemoveMemoryRegion => (TableHeadBytes + RegionBytes, -1),
        RequestCode.GetConfig or RequestCode.SetConfig => (DeviceMessages.ConfigShape(body), 0),
        RequestCode.GetInflightFd => (DeviceMessages.InflightBytes, 0),
        RequestCode.SetInflightFd => (DeviceMessages.InflightBytes, 1),
        RequestCode.SetBackendRequestFd or RequestCode.SetLogFd => (0, 1),
        _ => null,
    };

    private static (int, int) TableShape(ReadOnlySpan<byte> body)
    {
        uint regions = body.Length >= TableHeadBytes ? U32(body, 0) : 0;
        return regions > MaxTableRegions ? (TableHeadBytes + MaxTableRegions * RegionBytes, MaxTableRegions) : (TableHeadBytes + (int)regions * RegionBytes, (int)regions);
    }
}
