namespace InterGuest.Virtio.Memory;

/// <summary>A range of host memory that a translation has found to be a guest's.</summary>
internal unsafe struct Segment
{
    internal byte* Start;
    internal uint Length;
}
