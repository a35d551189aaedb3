using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Memory;

/// <summary>
/// Memory of a process that a PCI device without an IOMMU reaches: huge pages, each in one piece for the device. The
/// kernel neither moves nor swaps them, and once they are given back nobody but a user of huge pages gets them.
/// </summary>
public sealed unsafe class HugePageMemory : DmaMemory
{
    /// <summary>Of a page.</summary>
    public const int PageBytes = 2 << 20;

    private const string PageMap = "/proc/self/pagemap", Reserved = "/proc/sys/vm/nr_hugepages", Free = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    private const ulong Present = 1UL << 63, FrameMask = (1UL << 55) - 1;
    private const int SmallPageBytes = 4096;

    private readonly byte* _start;
    private readonly nuint _length;
    private readonly ulong[] _busAddresses;
    private ulong _allocated;

    private HugePageMemory(byte* start, int pages)
    {
        _start = start;
        _length = (nuint)pages * PageBytes;
        _busAddresses = new ulong[pages];
    }

    /// <summary>Takes huge pages, and asks the kernel to set aside those that are missing.</summary>
    /// <param name="bytes">At least as many. No allocation crosses a page, so a little is lost at the end of each.</param>
    /// <exception cref="NativeException">There are none, or the bus addresses are a secret: it needs root.</exception>
    public static HugePageMemory Create(long bytes)
    {
        int pages = (int)((bytes + PageBytes - 1) / PageBytes);
        Reserve(pages);
        void* start = Libc.mmap(
            null, (nuint)pages * PageBytes, Libc.PROT_READ | Libc.PROT_WRITE,
            Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_HUGETLB | Libc.MAP_POPULATE | Libc.MAP_LOCKED, -1, 0);
        if ((nint)start == -1)
            throw new NativeException($"map {pages} huge pages of 2 MiB (set them aside early: echo {pages} > {Reserved})", Libc.LastError);
        var memory = new HugePageMemory((byte*)start, pages);
        try
        {
            memory.FindBusAddresses();
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override ulong Allocate(uint bytes, uint alignment = 16)
    {
        ulong start = (_allocated + alignment - 1) / alignment * alignment;
        if (start / PageBytes != (start + bytes - 1) / PageBytes)
            start = (start + PageBytes - 1) / PageBytes * PageBytes;
        if (bytes is 0 or > PageBytes || start + bytes > _length)
            throw new DmaMemoryException(bytes, _allocated, _length);
        _allocated = start + bytes;
        return _busAddresses[start / PageBytes] + start % PageBytes;
    }

    /// <inheritdoc/>
    public override void FreeAll() => _allocated = 0;

    /// <inheritdoc/>
    public override ulong UserAddress(ulong guestAddress) => guestAddress;

    /// <inheritdoc/>
    public override void Dispose() => _ = Libc.munmap(_start, _length);

    internal override byte* Pointer(ulong guestAddress, int length)
    {
        for (int page = 0; page < _busAddresses.Length; page++)
        {
            ulong offset = guestAddress - _busAddresses[page];
            if (offset < PageBytes && (ulong)length <= PageBytes - offset)
                return _start + (ulong)page * PageBytes + offset;
        }
        throw new ArgumentOutOfRangeException(nameof(guestAddress));
    }

    private static void Reserve(int pages)
    {
        try
        {
            int missing = pages - int.Parse(File.ReadAllText(Free));
            if (missing > 0)
                File.WriteAllText(Reserved, $"{int.Parse(File.ReadAllText(Reserved)) + missing}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            // Then mmap says what is the matter.
        }
    }

    private void FindBusAddresses()
    {
        using var map = new FileDescriptor(Libc.Check(Libc.open(PageMap, Libc.O_CLOEXEC, 0), $"open {PageMap}"));
        for (int page = 0; page < _busAddresses.Length; page++)
        {
            ulong entry;
            nuint small = ((nuint)_start + (nuint)page * PageBytes) / SmallPageBytes;
            if (Libc.pread(map.Number, &entry, sizeof(ulong), (long)small * sizeof(ulong)) != sizeof(ulong) || (entry & Present) == 0 || (entry & FrameMask) == 0)
                throw new NativeException($"learn bus addresses from {PageMap}, which needs root", Libc.EPERM);
            _busAddresses[page] = (entry & FrameMask) * SmallPageBytes;
        }
    }
}
