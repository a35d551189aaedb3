using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>The driver's side of a packed virtqueue (VIRTIO 1.2, 2.8).</summary>
internal sealed unsafe class PackedDriverQueue : DriverQueue
{
    private readonly PackedDescriptor* _ring;
    private readonly uint* _driverEvent;
    private readonly uint* _deviceEvent;
    private readonly Stack<ushort> _ids;
    private RingCursor _next = RingCursor.Begin;
    private RingCursor _used = RingCursor.Begin;

    // The first descriptor added since the last publication: its second half is held back, and hides those behind it.
    private RingCursor _first;
    private ulong _firstHigh;
    private bool _added;

    internal PackedDriverQueue(DmaMemory memory, int size, ulong features, int maxIndirect) : base(memory, size, features, maxIndirect)
    {
        ulong ring = Allocate(memory, RingLayout.DescriptorBytes(size));
        ulong driverEvent = Allocate(memory, RingLayout.EventBytes);
        ulong deviceEvent = Allocate(memory, RingLayout.EventBytes);
        _ring = (PackedDescriptor*)memory.Pointer(ring, 1);
        _driverEvent = (uint*)memory.Pointer(driverEvent, 1);
        _deviceEvent = (uint*)memory.Pointer(deviceEvent, 1);
        Layout = new RingLayout(memory.UserAddress(ring), memory.UserAddress(driverEvent), memory.UserAddress(deviceEvent));
        _ids = new Stack<ushort>(Enumerable.Range(0, size).Reverse().Select(i => (ushort)i));
    }

    /// <inheritdoc/>
    public override uint InitialState => RingCursor.Begin.Word | (uint)RingCursor.Begin.Word << 16;

    /// <inheritdoc/>
    public override bool Publish()
    {
        if (!_added)
            return false;
        Volatile.Write(ref High(_first), _firstHigh);
        _added = false;
        Interlocked.MemoryBarrier();
        return EventSuppression.Wants(Volatile.Read(ref *_deviceEvent), EventIndex, _next, _first.Index, Size);
    }

    /// <inheritdoc/>
    public override void DisableCalls() => Volatile.Write(ref *_driverEvent, EventSuppression.Off);

    /// <inheritdoc/>
    public override bool EnableCalls()
    {
        Volatile.Write(ref *_driverEvent, EventSuppression.At(_used, EventIndex));
        Interlocked.MemoryBarrier();
        return _used.IsUsed(Read(_used).Flags);
    }

    private protected override int Place(ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable, bool indirect)
    {
        ushort id = _ids.Pop();
        if (indirect)
        {
            PlaceOne(PlaceTable(id, readable, writable), Descriptor.Indirect, id);
            return id;
        }
        int count = readable.Length + writable.Length;
        for (int i = 0; i < count; i++)
        {
            var (buffer, write) = At(readable, writable, i);
            PlaceOne(buffer, (ushort)((write ? Descriptor.Write : 0) | (i < count - 1 ? Descriptor.Next : 0)), id);
        }
        return id;
    }

    private protected override bool TryPeekUsed(out uint id, out uint written)
    {
        (id, written) = (0, 0);
        var descriptor = Read(_used);
        if (!_used.IsUsed(descriptor.Flags))
            return false;
        // Without the flag the length is nothing (2.8.4).
        (id, written) = (descriptor.Id, (descriptor.Flags & Descriptor.Write) != 0 ? descriptor.Length : 0);
        return true;
    }

    private protected override void Recycle(int id, int descriptors)
    {
        _used.Advance(descriptors, Size);
        _ids.Push((ushort)id);
    }

    private void PlaceOne(DriverBuffer buffer, ushort flags, ushort id)
    {
        _ring[_next.Index].Address = buffer.GuestAddress;
        ulong high = PackedDescriptor.High(buffer.Length, id, (ushort)(flags | _next.AvailableFlags));
        if (_added)
            Volatile.Write(ref High(_next), high);
        else
            (_first, _firstHigh, _added) = (_next, high, true);
        _next.Advance(1, Size);
    }

    private DriverBuffer PlaceTable(int id, ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable)
    {
        int count = readable.Length + writable.Length;
        ulong table = IndirectTables + (ulong)(id * MaxIndirect * Descriptor.Bytes);
        var entries = (PackedDescriptor*)Memory.Pointer(table, count * Descriptor.Bytes);
        for (int i = 0; i < count; i++)
        {
            var (buffer, write) = At(readable, writable, i);
            entries[i] = new PackedDescriptor { Address = buffer.GuestAddress, Length = buffer.Length, Flags = write ? Descriptor.Write : (ushort)0 };
        }
        return new DriverBuffer(table, (uint)(count * Descriptor.Bytes));
    }

    private ref ulong High(RingCursor at) => ref ((ulong*)(_ring + at.Index))[1];

    private PackedDescriptor Read(RingCursor at)
    {
        ulong high = Volatile.Read(ref High(at));
        return PackedDescriptor.From(_ring[at.Index].Address, high);
    }
}
