namespace InterGuest.Virtio.Memory;

/// <summary>A driver wants more memory for its device than was set aside.</summary>
public sealed class DmaMemoryException : Exception
{
    /// <summary>So many bytes are not there.</summary>
    /// <param name="wanted">By the driver.</param>
    /// <param name="used">By others before.</param>
    /// <param name="bytes">That there are.</param>
    internal DmaMemoryException(uint wanted, ulong used, ulong bytes)
        : base($"{wanted} bytes of memory for the device are wanted, and {used} of its {bytes} are in use")
    {
    }
}
