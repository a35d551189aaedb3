namespace InterGuest.Virtio.Queues;

/// <summary>How much was moved, or may be.</summary>
/// <param name="Frames">Frames.</param>
/// <param name="Bytes">Their bytes, without headers.</param>
/// <param name="Descriptors">Descriptors they came in and went to.</param>
public record struct FrameTally(int Frames, long Bytes, int Descriptors)
{
    /// <summary>Whether it is as much as may be, by one of the three.</summary>
    public readonly bool Reaches(in FrameTally most) => Frames >= most.Frames || Bytes >= most.Bytes || Descriptors >= most.Descriptors;

    /// <summary>So much more.</summary>
    internal void Add(int frames, long bytes, int descriptors)
    {
        Frames += frames;
        Bytes += bytes;
        Descriptors += descriptors;
    }

    /// <summary>One frame fewer.</summary>
    internal void Remove(uint bytes, int descriptors)
    {
        Frames--;
        Bytes -= bytes;
        Descriptors -= descriptors;
    }
}
