using System.Buffers.Binary;
using System.Text;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;

namespace InterGuest.Agent.Block;

/// <summary>An image as it is announced, and what requests do to it. <see cref="Do"/> may be called by many threads.</summary>
internal sealed class Disk(ImageFile image, string name, AgentLog log)
{
    private const uint MostDiscardSectors = 1 << 21, MostZeroSectors = 1 << 16; // 1 GiB and 32 MiB: a moment's work
    private const int ZeroBytes = 1 << 20;
    private const string BootId = "/proc/sys/kernel/random/boot_id";

    private static readonly byte[] Zeros = GC.AllocateArray<byte>(ZeroBytes + PageBytes, pinned: true);
    private readonly ErrorBudget _errors = new();
    private ulong _capacity;

    /// <summary>Of memory that direct I/O takes.</summary>
    public const int PageBytes = 4096;

    /// <summary>To read and write without a thread for each; null: that is not to be had.</summary>
    public AsyncImage? TryOpenAsync(int depth) => AsyncImage.TryCreate(image, depth);

    /// <summary>Looks how large the image is now.</summary>
    /// <returns>Sectors, of whole blocks.</returns>
    public ulong Measure()
    {
        ulong capacity = image.Size() / (uint)image.BlockBytes * (uint)image.BlockBytes / BlockRequest.SectorBytes;
        Volatile.Write(ref _capacity, capacity);
        return capacity;
    }

    /// <summary>What there is to announce of it now.</summary>
    /// <param name="maxData">Bytes of data that a request may have.</param>
    public BlockAnnouncement Announce(int maxData) => new()
    {
        Flags = Flags(),
        Capacity = Measure(),
        Cache = image.Mode == ImageMode.Cached ? CacheName() : 0,
        BlockSize = (uint)image.BlockBytes,
        PhysicalBlockExponent = (byte)Math.Max(0, int.Log2(Math.Max(1, image.PhysicalBlockBytes / image.BlockBytes))),
        MaxData = (uint)maxData,
        MaxDiscard = image.CanDiscard ? MostDiscardSectors : 0,
        DiscardAlignment = image.CanDiscard ? (uint)Math.Max(1, image.PhysicalBlockBytes / BlockRequest.SectorBytes) : 0,
        MaxWriteZeroes = image.Mode == ImageMode.ReadOnly ? 0 : MostZeroSectors,
        Id = Serial(name),
    };

    /// <summary>Does what a request asks.</summary>
    /// <param name="request">Checked by nobody yet.</param>
    /// <param name="data">What to write, or room for what is read: as long as the request says.</param>
    public BlockStatus Do(in BlockServingRequest request, Span<byte> data)
    {
        bool writes = Writes(request.Operation);
        if (!IsAllowed(request))
            return BlockStatus.IoError;
        long offset = (long)request.Sector * BlockRequest.SectorBytes, length = (long)request.RangeBytes;
        int error = request.Operation switch
        {
            BlockOperation.In => image.Read(data, offset),
            BlockOperation.Out => image.Write(data, offset),
            BlockOperation.Flush => image.Flush(),
            BlockOperation.Discard when image.CanDiscard => image.Discard(offset, length),
            BlockOperation.WriteZeroes => image.WriteZeroes(offset, length, (request.Flags & BlockServingRequest.Unmap) != 0 && image.CanDiscard, AlignedZeros()),
            _ => -1,
        };
        if (error == 0 && writes && NeedsFlush(request))
            error = image.Flush();
        if (error > 0 && _errors.TrySpend())
            log.Say($"{name}: {request.Operation} of {request.Sectors} sectors at {request.Sector}: {Explain(error)}");
        return error switch { 0 => BlockStatus.Ok, < 0 => BlockStatus.Unsupported, _ => BlockStatus.IoError };
    }

    /// <summary>Where on the medium a request is, if it is a read or write that <see cref="Do"/> would do with nothing before or after it.</summary>
    public bool IsPlain(in BlockServingRequest request, out long offset)
    {
        offset = (long)request.Sector * BlockRequest.SectorBytes;
        return request.Operation is BlockOperation.In or BlockOperation.Out && request.Sectors > 0 && IsAllowed(request)
            && !(request.Operation == BlockOperation.Out && NeedsFlush(request));
    }

    private static bool Writes(BlockOperation operation) => operation is BlockOperation.Out or BlockOperation.Discard or BlockOperation.WriteZeroes;

    private bool IsAllowed(in BlockServingRequest request)
    {
        ulong capacity = Volatile.Read(ref _capacity);
        return !(Writes(request.Operation) && image.Mode == ImageMode.ReadOnly)
            && request.Sector <= capacity && request.Sectors <= capacity - request.Sector // beyond its end a file would grow
            && request.RangeBytes % (uint)image.BlockBytes == 0 && request.Sector * BlockRequest.SectorBytes % (uint)image.BlockBytes == 0;
    }

    /// <summary>O_DSYNC makes writes durable, and writes only.</summary>
    private bool NeedsFlush(in BlockServingRequest request) => image.Mode == ImageMode.Cached
        ? (request.Flags & BlockServingRequest.Durable) != 0
        : request.Operation != BlockOperation.Out;

    private BlockAnnouncementFlags Flags()
    {
        if (image.Mode == ImageMode.ReadOnly)
            return BlockAnnouncementFlags.ReadOnly;
        var flags = BlockAnnouncementFlags.WriteZeroes;
        if (image.CanDiscard)
            flags |= BlockAnnouncementFlags.Discard | BlockAnnouncementFlags.Unmap;
        return image.Mode == ImageMode.Cached ? flags | BlockAnnouncementFlags.Cached : flags;
    }

    private static string Explain(int error) => ImageFile.IsFull(error)
        ? $"{ImageFile.Describe(error)}: make room in the file system of the image; the client has been told of an I/O error"
        : ImageFile.Describe(error);

    /// <summary>The page cache lives as long as the kernel: its boot names it.</summary>
    private static ulong CacheName() => Guid.TryParse(File.ReadAllText(BootId), out var boot)
        ? BinaryPrimitives.ReadUInt64LittleEndian(boot.ToByteArray()) | 1
        : 0;

    /// <summary>The file's name, as far as a serial number can be it.</summary>
    private static string Serial(string name)
    {
        string file = Path.GetFileName(name);
        var text = new StringBuilder();
        foreach (char c in file.Length > BlockRequest.IdBytes ? file[^BlockRequest.IdBytes..] : file)
            text.Append(c is > ' ' and <= '~' ? c : '_');
        return text.ToString();
    }

    private static ReadOnlySpan<byte> AlignedZeros() => ImageFile.Aligned(Zeros, PageBytes)[..ZeroBytes];
}
