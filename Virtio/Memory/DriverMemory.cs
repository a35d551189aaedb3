using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Memory;

/// <summary>
/// The memory of a guest that is a process: a memfd, mapped here and shared with a back-end. The driver's side of
/// <see cref="GuestMemory"/>.
/// </summary>
public sealed unsafe class DriverMemory : DmaMemory
{
    private readonly MappedRegion _mapped;
    private ulong _allocated;

    /// <summary>Makes and maps memory of <paramref name="size"/> zero bytes, sealed against shrinking.</summary>
    /// <param name="size">Bytes: a multiple of the page size.</param>
    /// <param name="guestAddress">Where the guest has it. Any page: it need not be where it is mapped.</param>
    /// <exception cref="NativeException">No memory is left.</exception>
    public DriverMemory(long size, ulong guestAddress)
        : this(MemFd.Create("interguest-guest", size), size, guestAddress)
    {
    }

    /// <summary>Maps a file as the guest's memory, and owns it.</summary>
    /// <param name="file">Of at least <paramref name="size"/> bytes.</param>
    /// <param name="size">Bytes: a multiple of the page size.</param>
    /// <param name="guestAddress">Where the guest has it.</param>
    /// <exception cref="InvalidOperationException">It cannot be mapped.</exception>
    public DriverMemory(FileDescriptor file, long size, ulong guestAddress)
    {
        File = file;
        _mapped = MappedRegion.TryMap(File, 0, (ulong)size, out _, out string why) ?? throw new InvalidOperationException(why);
        Layout = new RegionLayout(guestAddress, (ulong)size, (ulong)_mapped.Start, 0);
    }

    /// <summary>The file behind it, to be sent to the back-end.</summary>
    public FileDescriptor File { get; }

    /// <summary>Its one region.</summary>
    public RegionLayout Layout { get; }

    /// <inheritdoc/>
    public override ulong Allocate(uint bytes, uint alignment = 16)
    {
        ulong start = (_allocated + alignment - 1) / alignment * alignment;
        if (start > Layout.Size || bytes > Layout.Size - start)
            throw new DmaMemoryException(bytes, _allocated, Layout.Size);
        _allocated = start + bytes;
        return Layout.GuestAddress + start;
    }

    /// <inheritdoc/>
    public override void FreeAll() => _allocated = 0;

    /// <inheritdoc/>
    public override ulong UserAddress(ulong guestAddress) => Layout.UserAddress + (guestAddress - Layout.GuestAddress);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _mapped.Release();
        File.Dispose();
    }

    internal override byte* Pointer(ulong guestAddress, int length)
    {
        ulong offset = guestAddress - Layout.GuestAddress;
        if (offset >= Layout.Size || (ulong)length > Layout.Size - offset)
            throw new ArgumentOutOfRangeException(nameof(guestAddress));
        return _mapped.Start + offset;
    }
}
