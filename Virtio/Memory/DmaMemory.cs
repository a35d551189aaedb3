namespace InterGuest.Virtio.Memory;

/// <summary>
/// Memory of a driver's own that a device can reach: where rings and buffers lie. Bytes are set aside one after the other and
/// given back all at once, when the device has let go of them.
/// </summary>
public abstract unsafe class DmaMemory : IDisposable
{
    /// <summary>Sets bytes aside, until <see cref="FreeAll"/>.</summary>
    /// <param name="bytes">How many; they lie in one piece for the device, too.</param>
    /// <param name="alignment">A power of two up to the page size.</param>
    /// <returns>Their address as the device knows it: the guest address.</returns>
    /// <exception cref="DmaMemoryException">There are not so many left.</exception>
    public abstract ulong Allocate(uint bytes, uint alignment = 16);

    /// <summary>Takes all bytes back. Only while no device is started: it could still write to them.</summary>
    public abstract void FreeAll();

    /// <summary>The address by which a ring is announced: a vhost-user front-end has addresses of its own.</summary>
    public abstract ulong UserAddress(ulong guestAddress);

    /// <summary>The bytes at a guest address.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not all in this memory.</exception>
    public Span<byte> At(ulong guestAddress, int length) => new(Pointer(guestAddress, length), length);

    /// <inheritdoc/>
    public abstract void Dispose();

    internal abstract byte* Pointer(ulong guestAddress, int length);
}
