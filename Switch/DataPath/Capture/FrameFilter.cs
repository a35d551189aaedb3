namespace InterGuest.Switch.DataPath.Capture;

/// <summary>Which frames a capture wants: a small subset of what tcpdump understands. See <see cref="FilterParser"/>.</summary>
public abstract class FrameFilter
{
    /// <summary>How many bytes of a frame a filter sees: all headers up to the ports.</summary>
    internal const int Sight = 192;

    /// <summary>Whether the capture wants a frame.</summary>
    /// <param name="frame">Its first bytes, at least <see cref="Sight"/> of them if it has so many.</param>
    /// <param name="length">How long it is.</param>
    /// <param name="dropped">Why it was dropped; null: it arrived.</param>
    public bool Wants(ReadOnlySpan<byte> frame, int length, DropReason? dropped) => Matches(new PacketFields(frame), length, dropped);

    private protected abstract bool Matches(in PacketFields packet, int length, DropReason? dropped);

    internal enum Side
    {
        Either,
        Source,
        Destination,
    }

    internal sealed class All(IReadOnlyList<FrameFilter> parts) : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped)
        {
            for (int i = 0; i < parts.Count; i++)
                if (!parts[i].Matches(packet, length, dropped))
                    return false;
            return true;
        }
    }

    internal sealed class Any(IReadOnlyList<FrameFilter> parts) : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped)
        {
            for (int i = 0; i < parts.Count; i++)
                if (parts[i].Matches(packet, length, dropped))
                    return true;
            return false;
        }
    }

    internal sealed class Not(FrameFilter part) : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped) => !part.Matches(packet, length, dropped);
    }

    internal sealed class Ether(int type) : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped) => packet.EtherType == type;
    }

    internal sealed class Above(int protocol, int etherType = 0) : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped) =>
            packet.Protocol == protocol && (etherType == 0 ? packet.EtherType is PacketFields.Ip4 or PacketFields.Ip6 : packet.EtherType == etherType);
    }

    internal sealed class Port(Side side, int port) : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped) =>
            (side != Side.Destination && packet.SourcePort == port) || (side != Side.Source && packet.DestinationPort == port);
    }

    internal sealed class Net(Side side, byte[] address, int prefix) : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped) =>
            (side != Side.Destination && Holds(packet.Source)) || (side != Side.Source && Holds(packet.Destination));

        private bool Holds(ReadOnlySpan<byte> other)
        {
            if (other.Length != address.Length)
                return false;
            int whole = prefix / 8, rest = prefix % 8;
            return other[..whole].SequenceEqual(address.AsSpan(0, whole)) && (rest == 0 || (other[whole] ^ address[whole]) >> (8 - rest) == 0);
        }
    }

    internal sealed class Station(Side side, byte[] address) : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped) =>
            (side != Side.Destination && packet.EtherSource.SequenceEqual(address)) || (side != Side.Source && packet.EtherDestination.SequenceEqual(address));
    }

    internal sealed class Lost : FrameFilter
    {
        private protected override bool Matches(in PacketFields packet, int length, DropReason? dropped) => dropped != null;
    }
}
