using System.Buffers.Binary;
using System.Text;

namespace InterGuest.Cli.Capture;

/// <summary>
/// Writes pcapng (draft-ietf-opsawg-pcapng), which Wireshark and tcpdump read: an interface for each direction of the link, a
/// comment on each frame that was dropped, and the count of those that the capture itself left out.
/// </summary>
internal sealed class PcapngWriter(Stream output) : IDisposable
{
    private const uint SectionHeader = 0x0a0d0d0a, InterfaceDescription = 1, InterfaceStatistics = 5, EnhancedPacket = 6;
    private const ushort Comment = 1, InterfaceName = 2, Resolution = 9, DropCount = 4, Application = 4, StatisticsDropped = 5;
    private const int Ethernet = 1;
    private readonly MemoryStream _block = new();

    public void Dispose() => _block.Dispose();

    /// <summary>Begins the file.</summary>
    /// <param name="application">What made it.</param>
    /// <param name="interfaces">Their names, by index.</param>
    /// <param name="snapLength">Bytes kept of each frame.</param>
    public void Begin(string application, IReadOnlyList<string> interfaces, uint snapLength)
    {
        U32(0x1a2b3c4d); // the byte order is ours
        U32(1); // version 1.0
        U32(uint.MaxValue);
        U32(uint.MaxValue); // the section's length is not known
        Option(Application, Encoding.UTF8.GetBytes(application));
        End(SectionHeader);
        foreach (string name in interfaces)
        {
            U32(Ethernet);
            U32(snapLength);
            Option(InterfaceName, Encoding.UTF8.GetBytes(name));
            Option(Resolution, [9]); // nanoseconds
            End(InterfaceDescription);
        }
    }

    /// <summary>One frame.</summary>
    /// <param name="index">Its interface.</param>
    /// <param name="nanoseconds">Since 1970.</param>
    /// <param name="length">Bytes as it was sent.</param>
    /// <param name="data">The first of them.</param>
    /// <param name="comment">For a person; null: none.</param>
    /// <param name="missed">Frames left out since the one before.</param>
    public void Frame(uint index, long nanoseconds, uint length, ReadOnlySpan<byte> data, string? comment, ulong missed)
    {
        U32(index);
        Time(nanoseconds);
        U32((uint)data.Length);
        U32(length);
        Padded(data);
        if (comment != null)
            Option(Comment, Encoding.UTF8.GetBytes(comment));
        if (missed > 0)
            Option(DropCount, missed);
        End(EnhancedPacket);
    }

    /// <summary>Ends the file: how many frames were left out in all.</summary>
    public void Finish(uint index, long nanoseconds, ulong missed)
    {
        U32(index);
        Time(nanoseconds);
        Option(StatisticsDropped, missed);
        End(InterfaceStatistics);
    }

    private void Time(long nanoseconds)
    {
        U32((uint)((ulong)nanoseconds >> 32));
        U32((uint)nanoseconds);
    }

    private void Option(ushort code, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Option(code, bytes);
    }

    private void Option(ushort code, ReadOnlySpan<byte> value)
    {
        U32(code | ((uint)value.Length << 16));
        Padded(value);
    }

    private void Padded(ReadOnlySpan<byte> bytes)
    {
        _block.Write(bytes);
        _block.Write(stackalloc byte[-bytes.Length & 3]);
    }

    private void U32(uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _block.Write(bytes);
    }

    /// <summary>Type, length, what was gathered, length again. A list of options needs no end: the block has one.</summary>
    private void End(uint type)
    {
        Span<byte> head = stackalloc byte[8];
        uint total = (uint)_block.Length + 12;
        BinaryPrimitives.WriteUInt32LittleEndian(head, type);
        BinaryPrimitives.WriteUInt32LittleEndian(head[4..], total);
        output.Write(head);
        U32(total);
        output.Write(_block.GetBuffer().AsSpan(0, (int)_block.Length));
        _block.SetLength(0);
    }
}
