using InterGuest.Virtio.Memory;

namespace InterGuest.Switch.DataPath;

/// <summary>A frame on its way: bytes of our own in front, then bytes of the sender's memory. Shrinks as it is copied.</summary>
public ref struct FrameSource
{
    private ReadOnlySpan<byte> _front;
    private SegmentCursor _rest;
    private ulong _restBytes;

    /// <summary>A frame made of two parts.</summary>
    /// <param name="front">Its beginning, in our memory.</param>
    /// <param name="rest">Where the rest begins in the sender's.</param>
    /// <param name="restBytes">Bytes of the rest.</param>
    public FrameSource(ReadOnlySpan<byte> front, SegmentCursor rest, ulong restBytes)
    {
        _front = front;
        _rest = rest;
        _restBytes = restBytes;
    }

    /// <summary>A frame that lies in the sender's memory alone.</summary>
    public FrameSource(SegmentCursor frame) : this([], frame, frame.Remaining)
    {
    }

    /// <summary>Bytes still to be copied.</summary>
    public readonly ulong Length => (ulong)_front.Length + _restBytes;

    /// <summary>Copies until the room is full or the frame ends, and moves both past what was copied.</summary>
    /// <returns>The bytes copied.</returns>
    public uint CopyTo(scoped ref SegmentCursor room)
    {
        int front = _front.Length == 0 ? 0 : room.Write(_front);
        _front = _front[front..];
        ulong rest = GuestCopy.Copy(ref _rest, ref room, _restBytes);
        _restBytes -= rest;
        return (uint)front + (uint)rest;
    }
}
