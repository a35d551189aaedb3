namespace InterGuest.Virtio.Transport;

/// <summary>The device is gone, or does not do what it should: what it had in flight will not come back.</summary>
public sealed class DeviceLostException : IOException
{
    /// <summary>For the given reason, in words.</summary>
    public DeviceLostException(string message)
        : base(message)
    {
    }

    /// <summary>Because of another failure.</summary>
    public DeviceLostException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
