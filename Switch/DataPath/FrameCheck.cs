using InterGuest.Switch.DataPath.Offload;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Switch.DataPath;

/// <summary>What a frame must be to go on its way from one guest to another.</summary>
internal sealed class FrameCheck(QueueEnd source, QueueEnd target)
{
    // What the receiver must take of what the sender may use, and what of it the receiver does take.
    private readonly ulong _entitled = FeaturePairs.MayReceive(source.Features);
    private readonly ulong _taken = target.Features;

    /// <summary>Receive features that frames may need and go through as they are.</summary>
    public ulong Untranslated => _entitled & _taken;

    /// <summary>The longest frame without VLAN tags whose packet fits the receiver's MTU.</summary>
    public uint MaxUntagged => (uint)Math.Min((ulong)NetHeader.MaxFrame, (ulong)target.Mtu + (ulong)NetHeader.MinFrame);

    /// <summary>Reads the header once, checks it, and moves <paramref name="frame"/> behind it. Null: it may be delivered.</summary>
    public DropReason? Check(ref SegmentCursor frame, out NetHeader header)
    {
        header = default;
        Span<byte> bytes = stackalloc byte[NetHeader.Bytes];
        if (frame.Read(bytes[..source.HeaderBytes]) < source.HeaderBytes || frame.Remaining < NetHeader.MinFrame)
            return DropReason.TooShort;
        if (frame.Remaining > NetHeader.MaxFrame)
            return DropReason.TooLong;
        header = NetHeader.Parse(bytes);
        if (!header.TrySanitize(frame.Remaining) || (header.NeededToReceive() & ~_entitled) != 0)
            return DropReason.BadHeader;
        return header.GsoType == NetHeader.GsoNone && IsAboveMtu(frame) ? DropReason.AboveMtu : null;
    }

    /// <summary>Whether a frame needs what the receiver refused.</summary>
    public bool NeedsTranslation(in NetHeader header) => (header.NeededToReceive() & ~_taken) != 0;

    /// <summary>Whether a packet that must not be cut is longer than the receiver was told to expect.</summary>
    private bool IsAboveMtu(SegmentCursor frame)
    {
        ulong bytes = frame.Remaining;
        if (bytes - NetHeader.MinFrame <= (ulong)target.Mtu)
            return false;
        Span<byte> front = stackalloc byte[PacketHeaders.MaxEthernetBytes];
        return bytes - (ulong)PacketHeaders.NetworkOffset(front[..frame.Read(front)]) > (ulong)target.Mtu;
    }
}
