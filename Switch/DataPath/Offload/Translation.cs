using System.Diagnostics;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Switch.DataPath.Offload;

/// <summary>A join's translator, with the frame it is at and the account of what it costs.</summary>
internal sealed class Translation(QueueEnd receiver, TranslationCounters counters)
{
    /// <summary>
    /// One in so many looks at the clock, which costs about as much as a small segment. A prime: traffic has patterns.
    /// </summary>
    private const int SampleEvery = 61;

    private readonly Translator _translator = new();
    // Not the first: it is slow for reasons of its own.
    private int _untilSample = SampleEvery / 2;
    private long _frameBytes;

    /// <summary>Segments of a frame were delivered, and others were not yet: it cannot go back to its sender's ring.</summary>
    public bool IsPending { get; private set; }

    /// <summary>Bytes of the frame as its sender sent it.</summary>
    public long FrameBytes => _frameBytes;

    /// <summary>In front of the segment at hand.</summary>
    public NetHeader Header => _translator.Header;

    /// <summary>The segment at hand.</summary>
    public FrameSource Segment => new(_translator.Front, _translator.Payload, (ulong)_translator.PayloadBytes);

    /// <summary>Bytes of it.</summary>
    public int SegmentBytes => _translator.FrameBytes;

    /// <summary>Takes a frame. Returns why nothing can be made of it, or null: then the first segment is at hand.</summary>
    public DropReason? Begin(in NetHeader header, SegmentCursor frame)
    {
        _frameBytes = (long)frame.Remaining;
        long started = BeginSample();
        var reason = _translator.Begin(header, frame, receiver.Features, receiver.Mtu);
        EndSample(started);
        return reason;
    }

    /// <summary>The segment at hand was delivered: goes on to the next. False: it was the last.</summary>
    public bool Delivered()
    {
        if (!IsPending)
            counters.Translated();
        counters.Made(_translator.BytesSummed);
        long started = BeginSample();
        IsPending = _translator.MoveNext();
        EndSample(started);
        return IsPending;
    }

    /// <summary>Forgets the frame.</summary>
    public void End() => IsPending = false;

    private long BeginSample()
    {
        if (_untilSample-- > 0)
            return 0;
        _untilSample = SampleEvery - 1;
        return Stopwatch.GetTimestamp();
    }

    private void EndSample(long started)
    {
        if (started != 0)
            counters.Spent(Stopwatch.GetElapsedTime(started) * SampleEvery);
    }
}
