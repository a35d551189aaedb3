using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>The driver's side of a split virtqueue (VIRTIO 1.2, 2.7).</summary>
internal sealed unsafe class SplitDriverQueue : DriverQueue
{
    private readonly Descriptor* _descriptors;
    private readonly ushort* _available;
    private readonly ushort* _used;
    private readonly ushort[] _freeNext;
    private int _freeHead;
    private ushort _nextAvailable;
    private ushort _published;
    private ushort _nextUsed;

    internal SplitDriverQueue(DmaMemory memory, int size, ulong features, int maxIndirect) : base(memory, size, features, maxIndirect)
    {
        ulong descriptors = Allocate(memory, RingLayout.DescriptorBytes(size));
        ulong available = Allocate(memory, RingLayout.AvailableBytes(size));
        ulong used = Allocate(memory, RingLayout.UsedBytes(size));
        _descriptors = (Descriptor*)memory.Pointer(descriptors, 1);
        _available = (ushort*)memory.Pointer(available, 1);
        _used = (ushort*)memory.Pointer(used, 1);
        Layout = new RingLayout(memory.UserAddress(descriptors), memory.UserAddress(available), memory.UserAddress(used));
        _freeNext = [.. Enumerable.Range(1, size).Select(i => (ushort)i)];
    }

    /// <inheritdoc/>
    public override uint InitialState => 0;

    /// <inheritdoc/>
    public override bool Publish()
    {
        ushort before = _published;
        Volatile.Write(ref _available[1], _nextAvailable);
        _published = _nextAvailable;
        Interlocked.MemoryBarrier();
        if (EventIndex)
            return DeviceQueue.NeedsEvent(Volatile.Read(ref _used[2 + 4 * Size]), _published, before);
        return (Volatile.Read(ref _used[0]) & 1) == 0;
    }

    /// <inheritdoc/>
    public override void DisableCalls()
    {
        if (!EventIndex)
            Volatile.Write(ref _available[0], 1);
    }

    /// <inheritdoc/>
    public override bool EnableCalls()
    {
        if (EventIndex)
            Volatile.Write(ref _available[2 + Size], _nextUsed);
        else
            Volatile.Write(ref _available[0], 0);
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _used[1]) != _nextUsed;
    }

    private protected override int Place(ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable, bool indirect)
    {
        int head = _freeHead;
        if (indirect)
            PlaceIndirect(head, readable, writable);
        else
            PlaceDirect(readable, writable);
        _available[2 + (_nextAvailable & (Size - 1))] = (ushort)head;
        _nextAvailable++;
        return head;
    }

    private protected override bool TryPeekUsed(out uint id, out uint written)
    {
        (id, written) = (0, 0);
        if (Volatile.Read(ref _used[1]) == _nextUsed)
            return false;
        uint* entry = (uint*)(_used + 2) + 2 * (_nextUsed & (Size - 1));
        (id, written) = (entry[0], entry[1]);
        return true;
    }

    private protected override void Recycle(int id, int descriptors)
    {
        _nextUsed++;
        int last = id;
        for (int i = 1; i < descriptors; i++)
            last = _freeNext[last];
        _freeNext[last] = (ushort)_freeHead;
        _freeHead = id;
    }

    private void PlaceDirect(ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable)
    {
        int count = readable.Length + writable.Length;
        for (int i = 0; i < count; i++)
        {
            _descriptors[_freeHead] = Make(At(readable, writable, i), i < count - 1 ? _freeNext[_freeHead] : null);
            _freeHead = _freeNext[_freeHead];
        }
    }

    private void PlaceIndirect(int head, ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable)
    {
        int count = readable.Length + writable.Length;
        ulong table = IndirectTables + (ulong)(head * MaxIndirect * Descriptor.Bytes);
        var entries = (Descriptor*)Memory.Pointer(table, count * Descriptor.Bytes);
        for (int i = 0; i < count; i++)
            entries[i] = Make(At(readable, writable, i), i < count - 1 ? (ushort)(i + 1) : null);
        _descriptors[head] = new Descriptor { Address = table, Length = (uint)(count * Descriptor.Bytes), Flags = Descriptor.Indirect };
        _freeHead = _freeNext[head];
    }

    private static Descriptor Make((DriverBuffer Buffer, bool Write) part, ushort? next) => new()
    {
        Address = part.Buffer.GuestAddress,
        Length = part.Buffer.Length,
        Flags = (ushort)((part.Write ? Descriptor.Write : 0) | (next != null ? Descriptor.Next : 0)),
        NextIndex = next ?? 0,
    };
}
