using BenchmarkDotNet.Attributes;
using InterGuest.Switch.Tests.DataPath.Offload;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
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

/// <summary>What a receiver without offloads costs: a TCP packet of 64 KB, added up whole, or cut into segments of 1448 bytes.</summary>
public class TranslateBenchmarks : TransferBenchmarks
{
    private const int Segments = 45, Payload = Segments * 1448;

    private readonly Chain _chain = new();

    [GlobalSetup]
    public void Setup()
    {
        var packet = new PacketShape { SegmentBytes = 1448 }.Build(new Random(1), Payload);
        Connect(new FlatGuest((uint)(NetHeader.Bytes + packet.Frame.Length), receives: false,
            TestGuest.PlainFeatures | Features.NetChecksum | Features.NetHostTso4), new FlatGuest(2048, receives: true));
        byte[] header = new byte[NetHeader.Bytes];
        packet.Header.Write(header, 0);
        for (int i = 0; i < FlatGuest.Size; i++)
        {
            header.CopyTo(Sender.Memory.At(Sender.Address(i), header.Length));
            packet.Frame.CopyTo(Sender.Memory.At(Sender.Address(i) + NetHeader.Bytes, packet.Frame.Length));
        }
    }

    /// <summary>Per segment: its headers, its checksum and its copy.</summary>
    [Benchmark(OperationsPerInvoke = Segments)]
    public void Segment() => Transfer(Segments);

    /// <summary>Of 1448 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Segments)]
    public ushort Checksum()
    {
        Sender.Feed();
        Sender.End.Queue.TryPop(_chain);
        Sender.End.Queue.AddUsed(_chain.Ticket, 0);
        Sender.End.Publish();
        var bytes = _chain.Readable;
        return GuestChecksum.Add(0, ref bytes, Payload);
    }

    protected override void Dispose(bool disposing)
    {
        _chain.Dispose();
        base.Dispose(disposing);
    }
}
