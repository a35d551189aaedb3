using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>A buffer in a guest's own memory, as a driver offers it.</summary>
/// <param name="GuestAddress">Its first byte.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct DriverBuffer(ulong GuestAddress, uint Length);

/// <summary>
/// The driver's side of a split virtqueue (VIRTIO 1.2, 2.7): add buffers, kick, get them back used. Trusts its device to be
/// well-behaved but not blindly: an id that is not in flight, or a length beyond the buffer, is an error.
/// </summary>
public sealed unsafe class DriverQueue
{
    private readonly DmaMemory _memory;
    private readonly Descriptor* _descriptors;
    private readonly ushort* _available;
    private readonly ushort* _used;
    private readonly int _size;
    private readonly bool _eventIndex;
    private readonly ulong _indirectTables;
    private readonly Flight[] _inFlight;
    private readonly ushort[] _freeNext;
    private int _free;
    private int _freeHead;
    private ushort _nextAvailable;
    private ushort _published;
    private ushort _nextUsed;

    /// <summary>Lays a queue out in the guest's memory.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="size">Entries: a power of two.</param>
    /// <param name="features">The features negotiated.</param>
    /// <param name="maxIndirect">Entries of an indirect table per chain; 0: chains are made of the queue's own descriptors.</param>
    public DriverQueue(DmaMemory memory, int size, ulong features, int maxIndirect = 0)
    {
        (_memory, _size) = (memory, size);
        _eventIndex = (features & Features.RingEventIndex) != 0;
        ulong descriptors = Allocate(memory, RingLayout.DescriptorBytes(size));
        ulong available = Allocate(memory, RingLayout.AvailableBytes(size));
        ulong used = Allocate(memory, RingLayout.UsedBytes(size));
        _descriptors = (Descriptor*)memory.Pointer(descriptors, 1);
        _available = (ushort*)memory.Pointer(available, 1);
        _used = (ushort*)memory.Pointer(used, 1);
        Layout = new RingLayout(memory.UserAddress(descriptors), memory.UserAddress(available), memory.UserAddress(used));
        MaxIndirect = maxIndirect;
        if (maxIndirect > 0)
            _indirectTables = memory.Allocate((uint)(size * maxIndirect * Descriptor.Bytes));
        _inFlight = new Flight[size];
        _freeNext = [.. Enumerable.Range(1, size).Select(i => (ushort)i)];
        _free = size;
    }

    /// <summary>Where its areas are, by the front-end's addresses.</summary>
    public RingLayout Layout { get; }

    /// <summary>Entries.</summary>
    public int Size => _size;

    /// <summary>Entries of an indirect table; 0: none are used.</summary>
    public int MaxIndirect { get; }

    /// <summary>Descriptors that are free.</summary>
    public int Free => _free;

    /// <summary>Chains that the device has.</summary>
    public int InFlight { get; private set; }

    /// <summary>Offers a chain of buffers: those the device reads, then those it writes. Not seen before <see cref="Publish"/>.</summary>
    /// <param name="readable">For the device to read.</param>
    /// <param name="writable">For the device to write.</param>
    /// <param name="token">Comes back with the chain.</param>
    /// <returns>False if there are not enough descriptors.</returns>
    public bool TryAdd(ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable, int token)
    {
        int count = readable.Length + writable.Length;
        bool indirect = MaxIndirect > 0 && count > 1 && count <= MaxIndirect;
        int needed = indirect ? 1 : count;
        if (count == 0 || needed > _free)
            return false;
        int head = _freeHead;
        if (indirect)
            FillIndirect(head, readable, writable);
        else
            FillDirect(readable, writable);
        ulong writableBytes = 0;
        foreach (var buffer in writable)
            writableBytes += buffer.Length;
        _inFlight[head] = new Flight(token, needed, writableBytes);
        _free -= needed;
        InFlight++;
        _available[2 + (_nextAvailable & (_size - 1))] = (ushort)head;
        _nextAvailable++;
        return true;
    }

    /// <summary>Shows the device what was added.</summary>
    /// <returns>Whether the device wants a kick for it.</returns>
    public bool Publish()
    {
        ushort before = _published;
        Volatile.Write(ref _available[1], _nextAvailable);
        _published = _nextAvailable;
        Interlocked.MemoryBarrier();
        if (_eventIndex)
            return SplitQueue.NeedsEvent(Volatile.Read(ref _used[2 + 4 * _size]), _published, before);
        return (Volatile.Read(ref _used[0]) & 1) == 0;
    }

    /// <summary>Takes back the next chain that the device is done with.</summary>
    /// <param name="token">As given to <see cref="TryAdd"/>.</param>
    /// <param name="written">Bytes that the device wrote, from the first writable one on.</param>
    /// <returns>False if there is none.</returns>
    /// <exception cref="InvalidDataException">The device gave back what it did not have, or claims to have written more than it could.</exception>
    public bool TryGetUsed(out int token, out uint written)
    {
        (token, written) = (0, 0);
        if (Volatile.Read(ref _used[1]) == _nextUsed)
            return false;
        uint* entry = (uint*)(_used + 2) + 2 * (_nextUsed & (_size - 1));
        uint head = entry[0];
        written = entry[1];
        if (head >= _size || _inFlight[head].Descriptors == 0)
            throw new InvalidDataException($"The device gave back descriptor {head}, which it did not have.");
        var flight = _inFlight[head];
        if (written > flight.WritableBytes)
            throw new InvalidDataException($"The device says it wrote {written} bytes into {flight.WritableBytes}.");
        Recycle((int)head, flight.Descriptors);
        token = flight.Token;
        _nextUsed++;
        InFlight--;
        return true;
    }

    /// <summary>Asks the device not to call.</summary>
    public void DisableCalls()
    {
        if (!_eventIndex)
            Volatile.Write(ref _available[0], 1);
    }

    /// <summary>Asks the device to call at the next chain used.</summary>
    /// <returns>Whether there is one already.</returns>
    public bool EnableCalls()
    {
        if (_eventIndex)
            Volatile.Write(ref _available[2 + _size], _nextUsed);
        else
            Volatile.Write(ref _available[0], 0);
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _used[1]) != _nextUsed;
    }

    /// <summary>Room for an area, zeroed: the memory may have been used before.</summary>
    private static ulong Allocate(DmaMemory memory, ulong bytes)
    {
        ulong address = memory.Allocate((uint)bytes);
        memory.At(address, (int)bytes).Clear();
        return address;
    }

    private void FillDirect(ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable)
    {
        int count = readable.Length + writable.Length;
        for (int i = 0; i < count; i++)
        {
            ref var descriptor = ref _descriptors[_freeHead];
            bool write = i >= readable.Length;
            Fill(ref descriptor, write ? writable[i - readable.Length] : readable[i], write, i < count - 1 ? _freeNext[_freeHead] : null);
            _freeHead = _freeNext[_freeHead];
        }
    }

    private void FillIndirect(int head, ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable)
    {
        int count = readable.Length + writable.Length;
        ulong table = _indirectTables + (ulong)(head * MaxIndirect * Descriptor.Bytes);
        var entries = (Descriptor*)_memory.Pointer(table, count * Descriptor.Bytes);
        for (int i = 0; i < count; i++)
        {
            bool write = i >= readable.Length;
            Fill(ref entries[i], write ? writable[i - readable.Length] : readable[i], write, i < count - 1 ? (ushort)(i + 1) : null);
        }
        _descriptors[head] = new Descriptor { Address = table, Length = (uint)(count * Descriptor.Bytes), Flags = Descriptor.Indirect };
        _freeHead = _freeNext[head];
    }

    private static void Fill(ref Descriptor descriptor, DriverBuffer buffer, bool write, ushort? next) => descriptor = new Descriptor
    {
        Address = buffer.GuestAddress,
        Length = buffer.Length,
        Flags = (ushort)((write ? Descriptor.Write : 0) | (next != null ? Descriptor.Next : 0)),
        NextIndex = next ?? 0,
    };

    private void Recycle(int head, int descriptors)
    {
        _inFlight[head] = default;
        int last = head;
        for (int i = 1; i < descriptors; i++)
            last = _freeNext[last];
        _freeNext[last] = (ushort)_freeHead;
        _freeHead = head;
        _free += descriptors;
    }

    private readonly record struct Flight(int Token, int Descriptors, ulong WritableBytes);
}
