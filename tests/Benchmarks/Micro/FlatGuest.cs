using InterGuest.Switch.DataPath;
using InterGuest.Switch.Tests.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Benchmarks.Micro;

/// <summary>A guest with one split queue whose descriptor i is always buffer i: to feed it costs one store.</summary>
internal sealed class FlatGuest : IDisposable
{
    public const int Size = 256;
    private const ulong Base = 0x1000_0000, Buffers = Base + 0x10000;

    // Descriptors of a chain in pieces, some of which stay unused, so that the ring has room for a whole number of chains.
    private const int PerChain = 8;

    private readonly uint _stride;
    private int _chains = Size;

    /// <summary>Makes one.</summary>
    /// <param name="bufferBytes">Of each buffer.</param>
    /// <param name="receives">Whether the buffers are to be written.</param>
    /// <param name="features">What the guest accepted.</param>
    public FlatGuest(uint bufferBytes, bool receives, ulong features = TestGuest.PlainFeatures)
    {
        BufferBytes = bufferBytes;
        _stride = (bufferBytes + 127) & ~63u; // not all at the same place in a page
        Memory = new DriverMemory((0x10000 + Size * (long)_stride + 4095) & ~4095L, Base);
        Ring = new FlatRing(Memory, Base, Size);
        for (int i = 0; i < Size; i++)
        {
            Ring.SetDescriptor(i, Address(i), bufferBytes, receives ? 2 : 0);
            Ring.SetHead(i, (ushort)i);
            Memory.At(Address(i), (int)bufferBytes).Clear(); // its pages are there
        }
        var shared = GuestMemory.Empty.TryAdd(Memory.Layout, Memory.File, out string why) ?? throw new InvalidOperationException(why);
        var queue = DeviceQueue.TryCreate(shared, Ring.Layout, Size, features, 0, out why) ?? throw new InvalidOperationException(why);
        shared.Release();
        End = new QueueEnd(queue, features, kick: null, call: null, new QueueCounters());
    }

    public uint BufferBytes { get; }

    public DriverMemory Memory { get; }

    public FlatRing Ring { get; }

    public QueueEnd End { get; }

    /// <summary>Makes chains of buffers: the ring has fewer of them, of as many descriptors as asked for.</summary>
    public FlatGuest InChains(int descriptors)
    {
        for (int i = 0; i < Size; i++)
        {
            bool last = i % PerChain == descriptors - 1;
            Ring.SetDescriptor(i, Address(i), BufferBytes, last ? 0 : 1, i + 1);
            Ring.SetHead(i, (ushort)(i % (Size / PerChain) * PerChain));
        }
        _chains = Size / PerChain;
        return this;
    }

    /// <summary>Of a buffer.</summary>
    public ulong Address(int index) => Buffers + (ulong)index % Size * _stride;

    /// <summary>All that was used is available again.</summary>
    public void Feed() => Ring.AvailableIndex = (ushort)(Ring.UsedIndex + _chains);

    public void Dispose()
    {
        End.Dispose();
        Memory.Dispose();
    }
}
