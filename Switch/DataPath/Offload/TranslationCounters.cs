namespace InterGuest.Switch.DataPath.Offload;

/// <summary>What it costs that a receiver refused what a sender uses. Written by one thread, read by any.</summary>
public sealed class TranslationCounters
{
    private long _frames;
    private long _segments;
    private long _bytesSummed;
    private long _ticks;

    /// <summary>Frames translated.</summary>
    public long Frames => Volatile.Read(ref _frames);

    /// <summary>Frames made of them.</summary>
    public long Segments => Volatile.Read(ref _segments);

    /// <summary>Bytes of which checksums were computed.</summary>
    public long BytesSummed => Volatile.Read(ref _bytesSummed);

    /// <summary>Time spent on headers and checksums, without the copying: an estimate from samples.</summary>
    public TimeSpan Time => TimeSpan.FromTicks(Volatile.Read(ref _ticks));

    /// <summary>Counts a frame of which the first segment was delivered.</summary>
    public void Translated() => Volatile.Write(ref _frames, _frames + 1);

    /// <summary>Counts a segment delivered.</summary>
    public void Made(long bytesSummed)
    {
        Volatile.Write(ref _segments, _segments + 1);
        Volatile.Write(ref _bytesSummed, _bytesSummed + bytesSummed);
    }

    /// <summary>Adds time.</summary>
    public void Spent(TimeSpan time) => Volatile.Write(ref _ticks, _ticks + time.Ticks);
}
