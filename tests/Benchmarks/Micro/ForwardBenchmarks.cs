using BenchmarkDotNet.Attributes;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Benchmarks.Micro;

/// <summary>
/// A frame from one guest's ring to another's with every check, in bursts of 32, beside the C library's copy of the same bytes
/// between the same memories.
/// </summary>
public class ForwardBenchmarks : TransferBenchmarks
{
    private const int Burst = 32;

    [Params(64, 256, 1518, 9000, 65000)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Setup() => Connect(
        new FlatGuest((uint)(NetHeader.Bytes + Bytes), receives: false), new FlatGuest((uint)(NetHeader.Bytes + Bytes), receives: true));

    [Benchmark(Baseline = true, OperationsPerInvoke = Burst)]
    public void CopyAlone() => Copy(Burst, Bytes);

    [Benchmark(OperationsPerInvoke = Burst)]
    public void Forward() => Transfer(Burst);
}

/// <summary>Frames of 9000 bytes in five pieces, into mergeable buffers of 2060: what DPDK's guests make of jumbo frames.</summary>
public class MergedBenchmarks : TransferBenchmarks
{
    private const int Burst = 32, Pieces = 5, PieceBytes = 1800;

    [GlobalSetup]
    public void Setup() => Connect(
        new FlatGuest(PieceBytes, receives: false).InChains(Pieces),
        new FlatGuest(2060, receives: true, TestGuest.PlainFeatures | Features.NetMergeableBuffers));

    [Benchmark(Baseline = true, OperationsPerInvoke = Burst)]
    public void CopyAlone() => Copy(Burst * Pieces, PieceBytes);

    [Benchmark(OperationsPerInvoke = Burst)]
    public void Forward() => Transfer(Burst);
}
