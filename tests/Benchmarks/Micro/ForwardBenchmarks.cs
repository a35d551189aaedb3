using BenchmarkDotNet.Attributes;
using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;

namespace InterGuest.Benchmarks.Micro;

/// <summary>
/// A frame from one guest's ring to another's with every check, in bursts of 32, beside the C library's copy of the same bytes
/// between the same memories.
/// </summary>
public class ForwardBenchmarks : IDisposable
{
    private const int Burst = 32;

    private FlatGuest _sender = null!, _receiver = null!;
    private NetJoin _join = null!;
    private int _next;

    [Params(64, 256, 1518, 9000, 65000)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _sender = new FlatGuest((uint)(NetHeader.Bytes + Bytes), receives: false);
        _receiver = new FlatGuest((uint)(NetHeader.Bytes + Bytes), receives: true);
        _join = new NetJoin(_sender.End, _receiver.End, TimeSpan.FromSeconds(60), new TrafficCounters());
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Burst)]
    public void CopyAlone()
    {
        for (int i = 0; i < Burst; i++, _next++)
            Native.Copy(_sender.Memory.At(_sender.Address(_next), Bytes), _receiver.Memory.At(_receiver.Address(_next), Bytes));
    }

    [Benchmark(OperationsPerInvoke = Burst)]
    public void Forward()
    {
        _sender.Feed();
        _receiver.Feed();
        if (_join.Transfer(Burst) != TransferResult.More)
            throw new InvalidOperationException("A frame was not forwarded.");
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _join?.Dispose();
        _sender?.Dispose();
        _receiver?.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>Frames of 9000 bytes in five pieces, into mergeable buffers of 2060: what DPDK's guests make of jumbo frames.</summary>
public class MergedBenchmarks : IDisposable
{
    private const int Burst = 32, Pieces = 5, PieceBytes = 1800;

    private FlatGuest _sender = null!, _receiver = null!;
    private NetJoin _join = null!;
    private int _next;

    [GlobalSetup]
    public void Setup()
    {
        _sender = new FlatGuest(PieceBytes, receives: false).InChains(Pieces);
        _receiver = new FlatGuest(2060, receives: true, TestGuest.PlainFeatures | Features.NetMergeableBuffers);
        _join = new NetJoin(_sender.End, _receiver.End, TimeSpan.FromSeconds(60), new TrafficCounters());
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Burst)]
    public void CopyAlone()
    {
        for (int i = 0; i < Burst * Pieces; i++, _next++)
            Native.Copy(_sender.Memory.At(_sender.Address(_next), PieceBytes), _receiver.Memory.At(_receiver.Address(_next), PieceBytes));
    }

    [Benchmark(OperationsPerInvoke = Burst)]
    public void Forward()
    {
        _sender.Feed();
        _receiver.Feed();
        if (_join.Transfer(Burst) != TransferResult.More)
            throw new InvalidOperationException("A frame was not forwarded.");
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _join?.Dispose();
        _sender?.Dispose();
        _receiver?.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>How a guest is called: an eventfd that it may have made blocking, rung by the kernel for us.</summary>
public class NotifyBenchmarks : IDisposable
{
    private readonly EventFd _bell = EventFd.Create();

    [Benchmark]
    public void Signal() => _bell.Signal();

    [GlobalCleanup]
    public void Dispose()
    {
        _bell.Dispose();
        GC.SuppressFinalize(this);
    }
}
