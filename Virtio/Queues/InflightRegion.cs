using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Queues;

/// <summary>
/// Memory that a front-end keeps for us, in which we note the chains that we have (vhost-user, "Inflight I/O tracking", split
/// virtqueues): should we die, our successor finds them there. The front-end can write it as well, so it is believed at no
/// time but the start, and then only after checks.
/// </summary>
public sealed class InflightRegion : IDisposable
{
    private readonly MappedRegion _mapped;

    private InflightRegion(MappedRegion mapped, FileDescriptor file, int queues, int queueSize)
    {
        (_mapped, File) = (mapped, file);
        Queues = [.. Enumerable.Range(0, queues).Select(i => InflightQueue.At(mapped, (ulong)i * InflightQueue.Bytes(queueSize), queueSize))];
    }

    /// <summary>Its file.</summary>
    public FileDescriptor File { get; }

    /// <summary>The part of each virtqueue.</summary>
    public IReadOnlyList<InflightQueue> Queues { get; }

    /// <summary>Bytes of a region.</summary>
    public static ulong Bytes(int queues, int queueSize) => (ulong)queues * InflightQueue.Bytes(queueSize);

    /// <summary>Makes an empty region.</summary>
    /// <exception cref="NativeException">No memory is left.</exception>
    public static InflightRegion Create(int queues, int queueSize)
    {
        ulong bytes = Bytes(queues, queueSize);
        var region = TryOpen(MemFd.Create("interguest-inflight", (long)bytes), bytes, 0, queues, queueSize, out string why)
            ?? throw new InvalidOperationException(why);
        foreach (var queue in region.Queues)
            queue.Clear();
        return region;
    }

    /// <summary>Maps a region that a front-end has kept, and owns its file.</summary>
    /// <param name="file">Of the region.</param>
    /// <param name="size">Bytes of it, as the front-end says.</param>
    /// <param name="offset">Of its first byte in the file.</param>
    /// <param name="queues">Virtqueues.</param>
    /// <param name="queueSize">Entries of each.</param>
    /// <param name="reason">Why not, for a person.</param>
    public static InflightRegion? TryOpen(FileDescriptor file, ulong size, ulong offset, int queues, int queueSize, out string reason)
    {
        ulong bytes = Bytes(queues, queueSize);
        reason = $"an inflight region of {size} bytes; {queues} queues of {queueSize} entries need {bytes}";
        if (size >= bytes && MappedRegion.TryMap(file, offset, bytes, out _, out reason) is { } mapped)
            return new InflightRegion(mapped, file, queues, queueSize);
        file.Dispose();
        return null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _mapped.Release();
        File.Dispose();
    }
}

/// <summary>What an <see cref="InflightRegion"/> says of one split virtqueue. Belongs to the thread that has the queue.</summary>
public sealed unsafe class InflightQueue
{
    private const ushort Version = 1;

    // struct { u64 features; u16 version, desc_num, last_batch_head, used_idx; } and for each descriptor
    // struct { u8 inflight; u8 padding[5]; u16 next; u64 counter; }; the whole aligned to 64.
    private const int HeadBytes = 16, EntryBytes = 16, Alignment = 64;
    private const int VersionAt = 8, SizeAt = 10, LastBatchHeadAt = 12, UsedIndexAt = 14;
    private const int NextAt = 6, CounterAt = 8;

    private readonly byte* _head;
    private readonly byte* _entries;
    private readonly int _size;
    private readonly ushort[] _batch;
    private int _inBatch;
    private ushort _lastBatchHead;
    private ulong _counter;

    private InflightQueue(byte* start, int size)
    {
        _head = start;
        _entries = start + HeadBytes;
        _size = size;
        _batch = new ushort[size];
    }

    /// <summary>Entries.</summary>
    public int Size => _size;

    internal static ulong Bytes(int size) => ((ulong)size * EntryBytes + HeadBytes + Alignment - 1) / Alignment * Alignment;

    internal static InflightQueue At(MappedRegion mapped, ulong offset, int size) => new(mapped.Start + offset, size);

    /// <summary>Makes it one in which no chain is.</summary>
    public void Clear()
    {
        new Span<byte>(_head, HeadBytes + _size * EntryBytes).Clear();
        U16(_head + VersionAt) = Version;
        U16(_head + SizeAt) = (ushort)_size;
    }

    /// <summary>A chain was taken.</summary>
    /// <param name="head">Its first descriptor, inside the queue.</param>
    public void Taken(ushort head)
    {
        byte* entry = Entry(head);
        Volatile.Write(ref *(ulong*)(entry + CounterAt), ++_counter);
        Volatile.Write(ref *entry, 1);
    }

    /// <summary>A chain is about to be given back, with the others of a batch.</summary>
    public void Used(ushort head)
    {
        Volatile.Write(ref U16(Entry(head) + NextAt), _lastBatchHead);
        Volatile.Write(ref U16(_head + LastBatchHeadAt), head);
        _lastBatchHead = head;
        _batch[_inBatch++] = head;
    }

    /// <summary>The batch has been given back: the driver can see it.</summary>
    /// <param name="usedIndex">Of the used ring.</param>
    public void Published(ushort usedIndex)
    {
        for (int i = 0; i < _inBatch; i++)
            Volatile.Write(ref *Entry(_batch[i]), 0);
        _inBatch = 0;
        Volatile.Write(ref U16(_head + UsedIndexAt), usedIndex);
    }

    /// <summary>Finds the chains that were taken and not given back, in the order in which they were taken.</summary>
    /// <param name="usedIndex">Of the used ring.</param>
    /// <param name="heads">Their first descriptors, each once.</param>
    /// <returns>False if the region cannot be right.</returns>
    public bool TryRecover(ushort usedIndex, out ushort[] heads)
    {
        heads = [];
        if (U16(_head + VersionAt) == 0)
            Clear(); // one that nobody has written yet
        if (U16(_head + VersionAt) != Version || U16(_head + SizeAt) != _size || !FinishBatch(usedIndex))
            return false;
        var found = new List<(ulong Counter, ushort Head)>();
        for (int head = 0; head < _size; head++)
        {
            byte inFlight = *Entry((ushort)head);
            if (inFlight > 1)
                return false;
            if (inFlight == 1)
                found.Add((*(ulong*)(Entry((ushort)head) + CounterAt), (ushort)head));
        }
        found.Sort();
        heads = [.. found.Select(f => f.Head)];
        _counter = found.Count > 0 ? found[^1].Counter : 0;
        U16(_head + UsedIndexAt) = usedIndex;
        return true;
    }

    /// <summary>A batch that the driver can see, but whose marks were not taken away any more.</summary>
    private bool FinishBatch(ushort usedIndex)
    {
        int batch = (ushort)(usedIndex - U16(_head + UsedIndexAt));
        if (batch > _size)
            return !AnyInFlight(); // a region that begins behind the ring's start
        ushort head = U16(_head + LastBatchHeadAt);
        for (int i = 0; i < batch; i++)
        {
            if (head >= _size)
                return false;
            *Entry(head) = 0;
            head = U16(Entry(head) + NextAt);
        }
        return true;
    }

    private bool AnyInFlight()
    {
        for (int head = 0; head < _size; head++)
            if (*Entry((ushort)head) != 0)
                return true;
        return false;
    }

    private byte* Entry(ushort head) => _entries + head * EntryBytes;

    private static ref ushort U16(byte* at) => ref *(ushort*)at;
}
