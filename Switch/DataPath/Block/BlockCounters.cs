using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>What a client's disk, or all disks of a server, did. Written by one thread, read by any.</summary>
public sealed class BlockCounters
{
    private readonly long[] _faults = new long[Enum.GetValues<BlockFault>().Length];
    private long _reads;
    private long _readBytes;
    private long _writes;
    private long _writtenBytes;
    private long _errors;
    private long _inFlight;

    /// <summary>Reads that were done.</summary>
    public long Reads => Volatile.Read(ref _reads);

    /// <summary>Bytes read.</summary>
    public long ReadBytes => Volatile.Read(ref _readBytes);

    /// <summary>Writes, and all else that is no read, that were done.</summary>
    public long Writes => Volatile.Read(ref _writes);

    /// <summary>Bytes written.</summary>
    public long WrittenBytes => Volatile.Read(ref _writtenBytes);

    /// <summary>Requests that ended with an error.</summary>
    public long Errors => Volatile.Read(ref _errors);

    /// <summary>Of a client: requests that were taken and are not over.</summary>
    public long InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Of a client: how long those took that are over.</summary>
    public RequestLatency Latency { get; } = new();

    /// <summary>Counts requests taken, or, below 0, given back.</summary>
    public void Taken(int requests) => Volatile.Write(ref _inFlight, _inFlight + requests);

    /// <summary>What was done wrong; only what occurred.</summary>
    public IEnumerable<(BlockFault Fault, long Count)> Faults =>
        Enum.GetValues<BlockFault>().Select(f => (f, Volatile.Read(ref _faults[(int)f]))).Where(f => f.Item2 > 0);

    /// <summary>Counts what was done wrong.</summary>
    public void Count(BlockFault fault) => Volatile.Write(ref _faults[(int)fault], _faults[(int)fault] + 1);

    /// <summary>Counts a request that is over.</summary>
    public void Done(BlockOperation operation, ulong bytes, BlockStatus status)
    {
        if (status != BlockStatus.Ok)
            Volatile.Write(ref _errors, _errors + 1);
        else if (operation == BlockOperation.In)
            Add(ref _reads, ref _readBytes, bytes);
        else
            Add(ref _writes, ref _writtenBytes, operation == BlockOperation.Out ? bytes : 0);
    }

    private static void Add(ref long requests, ref long total, ulong bytes)
    {
        Volatile.Write(ref requests, requests + 1);
        Volatile.Write(ref total, total + (long)bytes);
    }
}
