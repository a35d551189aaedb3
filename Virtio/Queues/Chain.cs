using System.Runtime.InteropServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// A checked snapshot of one descriptor chain: where its readable and its writable bytes lie in our address space. Made
/// once and loaded again and again; what was checked is what is used, however the guest changes its descriptors.
/// </summary>
public sealed unsafe class Chain : IDisposable
{
    /// <summary>Pieces of memory a chain may have: as many as the largest table has entries, and some for region borders.</summary>
    private const int MaxSegments = DeviceQueue.MaxSize + GuestMemory.MaxRegions;
    private const int FirstSegments = 64;

    private Segment* _segments;
    private int _capacity;
    private int _count;
    private int _readableCount;

    /// <summary>An empty chain.</summary>
    public Chain()
    {
        _capacity = FirstSegments;
        _segments = (Segment*)NativeMemory.Alloc(FirstSegments, (nuint)sizeof(Segment));
    }

    /// <summary>Frees the memory of a chain nobody disposed.</summary>
    ~Chain() => NativeMemory.Free(_segments);

    /// <summary>By which it is given back. Valid for a bad chain too.</summary>
    public ChainTicket Ticket { get; internal set; }

    /// <summary>Descriptors with a buffer, those of an indirect table among them.</summary>
    public int Descriptors { get; private set; }

    /// <summary>Those of them whose buffer has no byte: allowed, but no driver is known to make any.</summary>
    public int EmptyDescriptors { get; private set; }

    /// <summary>Bytes that the driver gives us.</summary>
    public ulong ReadableBytes { get; private set; }

    /// <summary>Bytes that the driver wants filled.</summary>
    public ulong WritableBytes { get; private set; }

    /// <summary>The start of the readable part.</summary>
    public SegmentCursor Readable => new(_segments, ReadableBytes);

    /// <summary>The start of the writable part.</summary>
    public SegmentCursor Writable => new(_segments + _readableCount, WritableBytes);

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_segments);
        _segments = null;
        _capacity = _count = _readableCount = 0;
        ReadableBytes = WritableBytes = 0;
        GC.SuppressFinalize(this);
    }

    internal void Clear()
    {
        _count = _readableCount = Descriptors = EmptyDescriptors = 0;
        ReadableBytes = WritableBytes = 0;
    }

    /// <summary>Checks a buffer, translates it, and puts it at the chain's end; in several pieces if it crosses regions.</summary>
    internal QueueFault Append(ref AddressTranslator memory, ulong address, uint length, bool writable)
    {
        Descriptors++;
        if (length == 0)
            EmptyDescriptors++;
        if (!writable && WritableBytes > 0)
            return QueueFault.ReadableAfterWritable;
        if (ReadableBytes + WritableBytes + length > uint.MaxValue)
            return QueueFault.TooManyBytes;
        for (uint left = length; left > 0;)
        {
            byte* start = memory.Translate(address, out ulong available);
            if (start == null)
                return QueueFault.AddressNotMapped;
            if (_count == _capacity && !Grow())
                return QueueFault.TooManySegments;
            uint piece = (uint)Math.Min(left, available);
            _segments[_count++] = new Segment { Start = start, Length = piece };
            address += piece;
            left -= piece;
        }
        if (writable)
        {
            WritableBytes += length;
        }
        else
        {
            ReadableBytes += length;
            _readableCount = _count;
        }
        return QueueFault.None;
    }

    private bool Grow()
    {
        ObjectDisposedException.ThrowIf(_segments == null, this);
        if (_capacity >= MaxSegments)
            return false;
        _capacity = Math.Min(_capacity * 2, MaxSegments);
        _segments = (Segment*)NativeMemory.Realloc(_segments, (nuint)_capacity * (nuint)sizeof(Segment));
        return true;
    }
}
