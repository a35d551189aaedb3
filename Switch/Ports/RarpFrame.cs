namespace InterGuest.Switch.Ports;

/// <summary>
/// The frame by which a machine that has arrived at another place of a network lets bridges and routers learn where it is:
/// a broadcast reverse ARP request about itself (RFC 903), as VMMs send it after a live migration.
/// </summary>
internal static class RarpFrame
{
    /// <summary>The shortest Ethernet frame, without its checksum.</summary>
    public const int Bytes = 60;

    /// <summary>Makes one.</summary>
    /// <param name="address">The machine's MAC address: 6 bytes.</param>
    public static byte[] For(ReadOnlySpan<byte> address)
    {
        byte[] frame = new byte[Bytes];
        frame.AsSpan(0, 6).Fill(0xff);
        address.CopyTo(frame.AsSpan(6));
        // Type reverse ARP; hardware Ethernet, protocol IPv4, their address lengths; operation "request reverse".
        ReadOnlySpan<byte> head = [0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3];
        head.CopyTo(frame.AsSpan(12));
        address.CopyTo(frame.AsSpan(22)); // sender's, and target's: nobody's IPv4 address is known
        address.CopyTo(frame.AsSpan(32));
        return frame;
    }
}
