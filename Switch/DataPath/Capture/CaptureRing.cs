using System.Buffers.Binary;
using InterGuest.Virtio.Memory;

namespace InterGuest.Switch.DataPath.Capture;

/// <summary>What is known of a captured frame beside its bytes.</summary>
/// <param name="Ticks">When, in ticks of <see cref="DateTimeOffset.UtcTicks"/>.</param>
/// <param name="Direction">0: from the link's first port, 1: from its second.</param>
/// <param name="Dropped">Why it was dropped; null: it arrived.</param>
/// <param name="Length">Its length as it was sent.</param>
public readonly record struct CapturedFrame(long Ticks, int Direction, DropReason? Dropped, int Length);

/// <summary>
/// Carries frames from the loop that moves them to whoever looks at them: a ring of bytes of a fixed size, for one writer and
/// one reader, without a lock. A frame for which there is no room is counted and left out; the writer never waits.
/// </summary>
/// <remarks>
/// A record is {total bytes, captured bytes, sent bytes, direction and reason, time} and the captured bytes, rounded up to 8.
/// It never wraps: a record of total 0 sends the reader to the beginning.
/// </remarks>
public sealed class CaptureRing
{
    private const int HeadBytes = 24;
    private readonly byte[] _bytes;
    private readonly int _snapLength;
    private readonly FrameFilter? _filter;
    private long _written;
    private long _read;
    private long _shed;

    /// <param name="bytes">Its size: a power of two, at least twice the largest record.</param>
    /// <param name="snapLength">How many bytes of each frame are kept.</param>
    /// <param name="filter">Which frames are kept; null: all.</param>
    public CaptureRing(int bytes, int snapLength, FrameFilter? filter)
    {
        if (!int.IsPow2(bytes) || bytes < 2 * (HeadBytes + Math.Max(snapLength, FrameFilter.Sight) + 8))
            throw new ArgumentOutOfRangeException(nameof(bytes));
        (_bytes, _snapLength, _filter) = (new byte[bytes], snapLength, filter);
    }

    /// <summary>Frames left out because the reader was too slow. Read by any thread.</summary>
    public long Shed => Volatile.Read(ref _shed);

    /// <summary>Takes a frame in, if the filter wants it and there is room. By the writer.</summary>
    public void Write(SegmentCursor frame, long ticks, int direction, DropReason? dropped)
    {
        int length = (int)Math.Min(frame.Remaining, int.MaxValue);
        int wanted = Math.Min(length, _filter == null ? _snapLength : Math.Max(_snapLength, FrameFilter.Sight));
        if (!TryReserve(HeadBytes + wanted, out int at))
        {
            // Also what the filter would not have wanted: to know, it would have to be read.
            Volatile.Write(ref _shed, _shed + 1);
            return;
        }
        var body = _bytes.AsSpan(at + HeadBytes, wanted);
        frame.Read(body);
        if (_filter != null && !_filter.Wants(body, length, dropped))
            return;
        int kept = Math.Min(wanted, _snapLength);
        int total = (HeadBytes + kept + 7) & ~7;
        var head = _bytes.AsSpan(at, HeadBytes);
        BinaryPrimitives.WriteInt32LittleEndian(head, total);
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], kept);
        BinaryPrimitives.WriteInt32LittleEndian(head[8..], length);
        BinaryPrimitives.WriteInt16LittleEndian(head[12..], (short)direction);
        BinaryPrimitives.WriteInt16LittleEndian(head[14..], dropped is { } reason ? (short)reason : (short)-1);
        BinaryPrimitives.WriteInt64LittleEndian(head[16..], ticks);
        Volatile.Write(ref _written, _written + total);
    }

    /// <summary>The next frame. By the reader.</summary>
    /// <param name="frame">What is known of it.</param>
    /// <param name="bytes">Its first bytes, valid until <see cref="Release"/>.</param>
    public bool TryRead(out CapturedFrame frame, out ReadOnlySpan<byte> bytes)
    {
        frame = default;
        bytes = default;
        if (_read == Volatile.Read(ref _written))
            return false;
        int at = Place(_read);
        if (BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(at)) == 0)
        {
            Volatile.Write(ref _read, _read + _bytes.Length - at);
            return TryRead(out frame, out bytes);
        }
        var head = _bytes.AsSpan(at, HeadBytes);
        short reason = BinaryPrimitives.ReadInt16LittleEndian(head[14..]);
        frame = new CapturedFrame(
            BinaryPrimitives.ReadInt64LittleEndian(head[16..]), BinaryPrimitives.ReadInt16LittleEndian(head[12..]),
            reason < 0 ? null : (DropReason)reason, BinaryPrimitives.ReadInt32LittleEndian(head[8..]));
        bytes = _bytes.AsSpan(at + HeadBytes, BinaryPrimitives.ReadInt32LittleEndian(head[4..]));
        return true;
    }

    /// <summary>Gives the room of the frame that was read back. By the reader, once for each frame.</summary>
    public void Release() => Volatile.Write(ref _read, _read + BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(Place(_read))));

    private int Place(long position) => (int)(position & (_bytes.Length - 1));

    /// <summary>Room for a record that lies together; if the end of the ring is in its way, it is skipped.</summary>
    private bool TryReserve(int bytes, out int at)
    {
        at = Place(_written);
        long free = _bytes.Length - (_written - Volatile.Read(ref _read));
        int rounded = (bytes + 7) & ~7;
        int toEnd = _bytes.Length - at;
        if (rounded <= toEnd)
            return rounded <= free;
        if (toEnd + rounded > free)
            return false;
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(at), 0);
        Volatile.Write(ref _written, _written + toEnd);
        at = 0;
        return true;
    }
}
