using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>
/// A guest that is all bytes: rings, buffers to send from and buffers to receive into, each in a region of its own, and between
/// the regions bytes of the file that are nobody's.
/// </summary>
internal sealed class FlipGuest : IDisposable
{
    public const ulong Base = 0x1000_0000;
    public const ulong SendAt = Base + 0x20_0000, ReceiveAt = Base + 0x30_0000;
    public const int BufferBytes = 0x100, Gap = 0x1000, Area = 0x8_0000, FileBytes = 0x40_0000;

    private readonly byte _canary;
    private readonly ulong _features;
    private readonly GuestMemory _shared;

    public FlipGuest(int size, byte canary, ulong features = TestGuest.PlainFeatures)
    {
        (_canary, _features) = (canary, features);
        Memory = new DriverMemory(FileBytes, Base);
        Memory.At(Base, FileBytes).Fill(canary);
        int ringBytes = (FlatRing.Bytes(size) + 15) & ~15;
        Memory.At(Base + Gap, 2 * ringBytes).Clear();
        (SendRingAt, ReceiveRingAt) = (Base + Gap, Base + Gap + (ulong)ringBytes);
        Send = new FlatRing(Memory, SendRingAt, size);
        Receive = new FlatRing(Memory, ReceiveRingAt, size);
        _shared = Share((Base + Gap, 2 * ringBytes), (SendAt, Area), (ReceiveAt, Area));
        for (int i = 0; i < size; i++)
        {
            SetSendBuffer(i);
            SetReceiveBuffer(i);
            Send.SetHead(i, (ushort)i);
            Receive.SetHead(i, (ushort)i);
        }
    }

    public DriverMemory Memory { get; }

    public FlatRing Send { get; }

    public FlatRing Receive { get; }

    /// <summary>Where the rings begin, in memory.</summary>
    public ulong SendRingAt { get; }

    public ulong ReceiveRingAt { get; }

    public QueueCounters SendCounters { get; } = new();

    public QueueCounters ReceiveCounters { get; } = new();

    public static ulong SendBuffer(int index) => SendAt + (ulong)(index * 2 * BufferBytes) + BufferBytes / 2;

    public static ulong ReceiveBuffer(int index) => ReceiveAt + (ulong)(index * 2 * BufferBytes) + BufferBytes / 2;

    public void SetSendBuffer(int index) => Send.SetDescriptor(index, SendBuffer(index), BufferBytes / 2, 0);

    public void SetReceiveBuffer(int index) => Receive.SetDescriptor(index, ReceiveBuffer(index), BufferBytes, 2);

    /// <summary>The device's side of a ring; without a kick it is polled.</summary>
    public QueueEnd End(FlatRing ring, QueueCounters counters, EventFd? kick = null) =>
        End(ring.Layout, ring.Size, _features, ring.UsedIndex, counters, kick);

    public QueueEnd End(RingLayout layout, int size, ulong features, uint start, QueueCounters counters, EventFd? kick = null)
    {
        var queue = DeviceQueue.TryCreate(_shared, layout, size, features, start, out string why) ?? throw new InvalidOperationException(why);
        return new QueueEnd(queue, features, kick, call: null, counters);
    }

    /// <summary>The first byte of a range that is not the canary; 0 if all are.</summary>
    public ulong FirstTouched(ulong from, ulong to) =>
        Memory.At(from, (int)(to - from)).IndexOfAnyExcept(_canary) is >= 0 and var at ? from + (ulong)at : 0;

    /// <summary>All buffers that are used are available again; their heads are in the ring for ever.</summary>
    public static void Feed(FlatRing ring) => ring.AvailableIndex = (ushort)(ring.UsedIndex + ring.Size);

    /// <summary>
    /// Makes every chain to be sent an indirect table of so many entries with a byte each, the last of which may be bad.
    /// </summary>
    public void SendInTables(int entries, bool bad)
    {
        for (int i = 0; i < entries; i++)
        {
            bool last = i == entries - 1;
            FlatRing.WriteDescriptor(Memory.At(SendAt + 16 * (ulong)i, 16), last && bad ? ulong.MaxValue / 2 : ReceiveAt + (ulong)i, 1, last ? 0 : 1, i + 1);
            Memory.At(ReceiveAt + (ulong)i, 1)[0] = 0;
        }
        for (int i = 0; i < Send.Size; i++)
            Send.SetDescriptor(i, SendAt, (uint)(16 * entries), 4);
    }

    public void Dispose()
    {
        _shared.Release();
        Memory.Dispose();
    }

    private GuestMemory Share(params (ulong Start, int Length)[] regions)
    {
        var shared = GuestMemory.Empty;
        foreach (var (start, length) in regions)
        {
            var next = shared.TryAdd(new RegionLayout(start, (ulong)length, Memory.UserAddress(start), start - Base), Memory.File, out string why)
                ?? throw new InvalidOperationException(why);
            shared.Release();
            shared = next;
        }
        return shared;
    }
}
