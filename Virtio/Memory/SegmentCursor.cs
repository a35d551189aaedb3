using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace InterGuest.Virtio.Memory;

/// <summary>
/// A place in the readable or the writable part of a <see cref="Queues.Chain"/>, moving forward as bytes are taken or
/// written. Valid until the chain is loaded anew.
/// </summary>
[StructLayout(LayoutKind.Auto)]
public unsafe struct SegmentCursor
{
    private Segment* _segment;
    private uint _offset;

    internal SegmentCursor(Segment* first, ulong length)
    {
        _segment = first;
        Remaining = length;
    }

    /// <summary>Bytes from here to the end of the part.</summary>
    public ulong Remaining { get; private set; }

    /// <summary>Copies the next bytes out and moves past them.</summary>
    /// <returns>How many: all of <paramref name="destination"/>, or what remains.</returns>
    public int Read(Span<byte> destination)
    {
        int wanted = (int)Math.Min((ulong)destination.Length, Remaining);
        for (int done = 0; done < wanted;)
        {
            int run = (int)Run((uint)(wanted - done));
            // SAFETY: Run gives bytes inside the segment, which the chain's walk translated.
            new ReadOnlySpan<byte>(Here, run).CopyTo(destination[done..]);
            Skip((uint)run);
            done += run;
        }
        return wanted;
    }

    /// <summary>Writes bytes here and moves past them.</summary>
    /// <returns>How many: all of <paramref name="source"/>, or as many as there is room for.</returns>
    public int Write(ReadOnlySpan<byte> source)
    {
        int wanted = (int)Math.Min((ulong)source.Length, Remaining);
        for (int done = 0; done < wanted;)
        {
            int run = (int)Run((uint)(wanted - done));
            // SAFETY: as in Read.
            source.Slice(done, run).CopyTo(new Span<byte>(Here, run));
            Skip((uint)run);
            done += run;
        }
        return wanted;
    }

    /// <summary>Moves forward without touching memory; at most to the end.</summary>
    public void Advance(ulong count)
    {
        count = Math.Min(count, Remaining);
        while (count > 0)
        {
            uint run = Run((uint)Math.Min(count, uint.MaxValue));
            Skip(run);
            count -= run;
        }
    }

    /// <summary>The address of the next byte; only while <see cref="Remaining"/> is not 0.</summary>
    internal readonly byte* Here => _segment->Start + _offset;

    /// <summary>How many of the next <paramref name="wanted"/> (at most Remaining) bytes lie together.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly uint Run(uint wanted) => Math.Min(wanted, _segment->Length - _offset);

    /// <summary>Moves past <paramref name="run"/> bytes that lie together.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Skip(uint run)
    {
        Remaining -= run;
        _offset += run;
        if (_offset == _segment->Length)
        {
            _segment++;
            _offset = 0;
        }
    }
}
