using BenchmarkDotNet.Attributes;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.Tests.DataPath.Offload;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Benchmarks.Micro;

/// <summary>Taking a chain from a ring and giving it back: the walk, the checks, and the ring's part of publishing.</summary>
public class RingBenchmarks : IDisposable
{
    private const int Burst = 32;

    private readonly FlatGuest _guest = new(256, receives: false);
    private readonly Chain _chain = new();

    [Benchmark(OperationsPerInvoke = Burst)]
    public void PopAndUse()
    {
        _guest.Feed();
        for (int i = 0; i < Burst; i++)
        {
            if (_guest.End.Queue.TryPop(_chain) != PopResult.Chain)
                throw new InvalidOperationException("There is no chain.");
            _guest.End.Queue.AddUsed(_chain.Ticket, 0);
        }
        _guest.End.Publish();
    }

    [Benchmark]
    public void PopUseAndPublishOne()
    {
        _guest.Feed();
        _guest.End.Queue.TryPop(_chain);
        _guest.End.Queue.AddUsed(_chain.Ticket, 0);
        _guest.End.Publish();
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _chain.Dispose();
        _guest.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>What a receiver without offloads costs: a TCP packet of 64 KB, added up whole, or cut into segments of 1448 bytes.</summary>
public class TranslateBenchmarks : IDisposable
{
    private const int Payload = 45 * 1448;

    private FlatGuest _sender = null!, _receiver = null!;
    private NetJoin _join = null!;
    private readonly Chain _chain = new();

    [GlobalSetup]
    public void Setup()
    {
        var packet = new PacketShape { SegmentBytes = 1448 }.Build(new Random(1), Payload);
        _sender = new FlatGuest((uint)(NetHeader.Bytes + packet.Frame.Length), receives: false,
            TestGuest.PlainFeatures | Features.NetChecksum | Features.NetHostTso4);
        _receiver = new FlatGuest(2048, receives: true);
        byte[] header = new byte[NetHeader.Bytes];
        packet.Header.Write(header, 0);
        for (int i = 0; i < FlatGuest.Size; i++)
        {
            header.CopyTo(_sender.Memory.At(_sender.Address(i), header.Length));
            packet.Frame.CopyTo(_sender.Memory.At(_sender.Address(i) + NetHeader.Bytes, packet.Frame.Length));
        }
        _join = new NetJoin(_sender.End, _receiver.End, TimeSpan.FromSeconds(60), new TrafficCounters());
    }

    /// <summary>Per segment: its headers, its checksum and its copy.</summary>
    [Benchmark(OperationsPerInvoke = 45)]
    public void Segment()
    {
        _sender.Feed();
        _receiver.Feed();
        _join.Transfer(45);
    }

    /// <summary>Of 1448 bytes.</summary>
    [Benchmark(OperationsPerInvoke = 45)]
    public ushort Checksum()
    {
        _sender.Feed();
        _sender.End.Queue.TryPop(_chain);
        _sender.End.Queue.AddUsed(_chain.Ticket, 0);
        _sender.End.Publish();
        var bytes = _chain.Readable;
        return GuestChecksum.Add(0, ref bytes, Payload);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _chain.Dispose();
        _join?.Dispose();
        _sender?.Dispose();
        _receiver?.Dispose();
        GC.SuppressFinalize(this);
    }
}
