using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>One virtqueue from both sides, each through a mapping of its own of the same memory file.</summary>
internal sealed class TwoSidedQueue : IDisposable
{
    internal const ulong GuestBase = 0x4000_0000;
    internal const int DefaultMemoryBytes = 1 << 20;

    /// <summary>Lays out a queue; <paramref name="start"/> other than 0 is for raw drivers only.</summary>
    /// <param name="size">Entries.</param>
    /// <param name="features">Negotiated.</param>
    /// <param name="maxIndirect">For the driver.</param>
    /// <param name="memoryBytes">Of the first region.</param>
    /// <param name="start">Both indices at the start.</param>
    /// <param name="onlyReads">Whether the device writes into no chain.</param>
    /// <param name="more">Further regions.</param>
    internal TwoSidedQueue(
        int size, ulong features = 0, int maxIndirect = 0, long memoryBytes = DefaultMemoryBytes, ushort start = 0, bool onlyReads = false,
        params ReadOnlySpan<DriverMemory> more)
    {
        Memory = new DriverMemory(memoryBytes, GuestBase);
        Driver = DriverQueue.Create(Memory, size, features, maxIndirect);
        Raw = new RawRing(Memory, Driver.Layout, size) { AvailableIndex = start, UsedIndex = start };
        Guest = Map([Memory, .. more]);
        Device = DeviceQueue.TryCreate(Guest, Driver.Layout, size, features, start == 0 ? Driver.InitialState : start, out string why, onlyReads: onlyReads) ?? throw new InvalidOperationException(why);
    }

    internal DriverMemory Memory { get; }

    /// <summary>The memory as the device sees it.</summary>
    internal GuestMemory Guest { get; }

    internal DriverQueue Driver { get; }

    internal DeviceQueue Device { get; }

    internal RawRing Raw { get; }

    /// <summary>The chain popped last.</summary>
    internal Chain Chain { get; } = new();

    /// <summary>Maps driver memories for a device.</summary>
    internal static GuestMemory Map(params ReadOnlySpan<DriverMemory> memories)
    {
        var guest = GuestMemory.Empty;
        foreach (var memory in memories)
        {
            var next = guest.TryAdd(memory.Layout, memory.File, out string why) ?? throw new InvalidOperationException(why);
            guest.Release();
            guest = next;
        }
        return guest;
    }

    public void Dispose()
    {
        Chain.Dispose();
        Device.Dispose();
        Guest.Release();
        Memory.Dispose();
    }

    internal PopResult Pop() => Device.TryPop(Chain);

    /// <summary>A buffer of the driver's with these bytes in it.</summary>
    internal DriverBuffer Buffer(params ReadOnlySpan<byte> content)
    {
        var buffer = Room((uint)content.Length);
        content.CopyTo(Memory.At(buffer.GuestAddress, content.Length));
        return buffer;
    }

    /// <summary>A buffer of zeros.</summary>
    internal DriverBuffer Room(uint length) => new(Memory.Allocate(length), length);

    /// <summary>The readable bytes of the chain popped last.</summary>
    internal byte[] Readable()
    {
        byte[] bytes = new byte[Chain.ReadableBytes];
        Assert.Equal(bytes.Length, Chain.Readable.Read(bytes));
        return bytes;
    }

    /// <summary>Pops what must be a fault of the chain, and gives it back as one does.</summary>
    internal QueueFault PopBadChain()
    {
        Assert.Equal(PopResult.BadChain, Pop());
        Device.AddUsed(Chain.Ticket, 0);
        Device.PublishUsed();
        return Device.Fault;
    }
}
