using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Switch.Negotiation;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Ports.Models;

/// <summary>A block device (VIRTIO 1.2, 5.2), which is what its server has announced.</summary>
internal sealed class BlockModel : PortModel, IDisposable
{
    /// <summary>QEMU's queues of 128 entries take so many buffers beside the header and the status.</summary>
    private const uint MaxSegments = 126;

    private readonly int _queues;
    private bool _writeback = true;
    private InflightRegion? _region;

    public BlockModel(int queues) => (_queues, Client) = (queues, new BlockClient(Counters));

    public BlockCounters Counters { get; } = new();

    /// <summary>The requests on their way.</summary>
    public BlockClient Client { get; }

    /// <summary>The disk that the guest is shown; null: none is known, and nobody can connect.</summary>
    public BlockAnnouncement? Disk { get; set; }

    public override int RingCount => _queues;

    public override ulong ProtocolFeatures =>
        base.ProtocolFeatures | Virtio.VhostUser.ProtocolFeatures.Config | Virtio.VhostUser.ProtocolFeatures.InflightSharedMemory;

    public override bool CanConnect => Disk != null;

    public override BlockCounters? BlockCounters => Counters;

    public override int Running(Func<int, bool> runs) => Enumerable.Range(0, _queues).Count(runs);

    public override ulong Offer(ulong? peerAccepted, ulong offeredBefore) => BlockOffer.For(_queues, Disk, offeredBefore);

    public override IEnumerable<string> NamesOf(ulong features) => FeatureNames.Block.Of(features);

    public override string NameOf(int ring) => "request";

    public override uint? QueuesFor(uint ring) => ring + 1;

    public override byte[]? ReadConfig()
    {
        if (Disk == null)
            return null;
        byte[] config = new byte[BlockConfig.Bytes];
        BlockConfig.Write(config, Disk, (ushort)_queues, MaxSegments, _writeback && Disk.Flags.HasFlag(BlockAnnouncementFlags.Cached));
        return config;
    }

    public override string? WriteConfig(uint offset, ReadOnlySpan<byte> bytes)
    {
        if (offset != BlockConfig.WritebackOffset || bytes.Length != 1 || bytes[0] > 1)
            return $"{bytes.Length} bytes at {offset} of the configuration, of which a driver may write the byte at {BlockConfig.WritebackOffset}, with 0 or 1";
        _writeback = bytes[0] == 1;
        return null;
    }

    public override void OnConnected() => Client.IsInUse = true;

    public override void OnDisconnected()
    {
        Client.Clear();
        Client.IsInUse = false;
        Client.Disk = null; // the next guest may find another one
        _writeback = true;
        _region?.Dispose();
        _region = null;
    }

    public override void OnConfigured(ulong features)
    {
        bool mayChange = (features & Features.BlockConfigWriteback) != 0;
        Client.WritesThrough = (features & Features.BlockFlush) == 0 || (mayChange && !_writeback);
    }

    public override string? OnStarted(int ring, QueueEnd end, bool isFresh)
    {
        var queue = Client.QueueOf(ring, end.Queue.Size);
        if (!isFresh)
            return null;
        queue.Clear();
        if (_region == null || ring >= _region.Queues.Count)
            return null;
        var notes = _region.Queues[ring];
        if (notes.Size < end.Queue.Size)
            return $"its inflight region has {notes.Size} entries, and the ring {end.Queue.Size}";
        var split = (SplitQueue)end.Queue;
        if (!notes.TryRecover(split.UsedIndex, out ushort[] heads) || heads.Any(h => h >= end.Queue.Size))
            return "its inflight region is not one that we have written";
        queue.Notes = notes;
        if (heads.Length == 0)
            return null;
        split.SkipInFlight(heads.Length);
        Client.AssumeWrites();
        foreach (ushort head in heads)
            queue.Recovered.Enqueue(head);
        return null;
    }

    public override void OnStopped(int ring) => Client.FindQueue(ring)?.Clear();

    /// <summary>An empty inflight region for the front-end to keep.</summary>
    public override InflightRegion CreateInflight(int queues, int queueSize) => Keep(InflightRegion.Create(queues, queueSize));

    public override string? OpenInflight(FileDescriptor file, ulong size, ulong offset, int queues, int queueSize)
    {
        if (InflightRegion.TryOpen(file, size, offset, queues, queueSize, out string why) is not { } region)
            return why;
        Keep(region);
        return null;
    }

    public void Dispose() => OnDisconnected();

    private InflightRegion Keep(InflightRegion region)
    {
        // What the queues note goes with the region in which they do.
        foreach (var queue in Client.Queues)
            queue.Notes = null;
        _region?.Dispose();
        return _region = region;
    }
}
