using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Queues;

/// <summary>A buffer in a guest's own memory, as a driver offers it.</summary>
/// <param name="GuestAddress">Its first byte.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct DriverBuffer(ulong GuestAddress, uint Length);

/// <summary>
/// The driver's side of a virtqueue (VIRTIO 1.2, 2.6): add buffers, kick, get them back used. Trusts its device to be
/// well-behaved but not blindly: an id that is not in flight, or a length beyond the buffer, is an error.
/// </summary>
public abstract class DriverQueue
{
    private readonly Flight[] _inFlight;

    private protected DriverQueue(DmaMemory memory, int size, ulong features, int maxIndirect)
    {
        (Memory, Size, MaxIndirect, Free) = (memory, size, maxIndirect, size);
        EventIndex = (features & Features.RingEventIndex) != 0;
        _inFlight = new Flight[size];
        if (maxIndirect > 0)
            IndirectTables = memory.Allocate((uint)(size * maxIndirect * Descriptor.Bytes));
    }

    /// <summary>Where its areas are, by the front-end's addresses.</summary>
    public RingLayout Layout { get; private protected init; }

    /// <summary>Entries.</summary>
    public int Size { get; }

    /// <summary>Entries of an indirect table; 0: none are used.</summary>
    public int MaxIndirect { get; }

    /// <summary>Descriptors that are free.</summary>
    public int Free { get; private set; }

    /// <summary>Chains that the device has.</summary>
    public int InFlight { get; private set; }

    /// <summary>Where a fresh ring begins, for SET_VRING_BASE.</summary>
    public abstract uint InitialState { get; }

    private protected DmaMemory Memory { get; }

    private protected bool EventIndex { get; }

    /// <summary>Guest address of the indirect tables, one for each id.</summary>
    private protected ulong IndirectTables { get; }

    /// <summary>Lays a queue out in the guest's memory.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="size">Entries; of a split queue a power of two.</param>
    /// <param name="features">The features negotiated; VIRTIO_F_RING_PACKED decides the format.</param>
    /// <param name="maxIndirect">Entries of an indirect table per chain; 0: chains are made of the queue's own descriptors.</param>
    public static DriverQueue Create(DmaMemory memory, int size, ulong features, int maxIndirect = 0) =>
        (features & Features.RingPacked) != 0
            ? new PackedDriverQueue(memory, size, features, maxIndirect)
            : new SplitDriverQueue(memory, size, features, maxIndirect);

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
        if (count == 0 || needed > Free)
            return false;
        ulong writableBytes = 0;
        foreach (var buffer in writable)
            writableBytes += buffer.Length;
        int id = Place(readable, writable, indirect);
        _inFlight[id] = new Flight(token, needed, writableBytes);
        Free -= needed;
        InFlight++;
        return true;
    }

    /// <summary>Shows the device what was added.</summary>
    /// <returns>Whether the device wants a kick for it.</returns>
    public abstract bool Publish();

    /// <summary>Takes back the next chain that the device is done with.</summary>
    /// <param name="token">As given to <see cref="TryAdd"/>.</param>
    /// <param name="written">Bytes that the device wrote, from the first writable one on.</param>
    /// <returns>False if there is none.</returns>
    /// <exception cref="InvalidDataException">The device gave back what it did not have, or claims to have written more than it could.</exception>
    public bool TryGetUsed(out int token, out uint written)
    {
        token = 0;
        if (!TryPeekUsed(out uint id, out written))
            return false;
        if (id >= Size || _inFlight[id].Descriptors == 0)
            throw new InvalidDataException($"The device gave back descriptor {id}, which it did not have.");
        var flight = _inFlight[id];
        if (written > flight.WritableBytes)
            throw new InvalidDataException($"The device says it wrote {written} bytes into {flight.WritableBytes}.");
        token = flight.Token;
        _inFlight[id] = default;
        Free += flight.Descriptors;
        InFlight--;
        Recycle((int)id, flight.Descriptors);
        return true;
    }

    /// <summary>Asks the device not to call.</summary>
    public abstract void DisableCalls();

    /// <summary>Asks the device to call at the next chain used.</summary>
    /// <returns>Whether one is used already: then look again, for the call may not come.</returns>
    public abstract bool EnableCalls();

    /// <summary>Writes the chain's descriptors.</summary>
    /// <returns>Its id.</returns>
    private protected abstract int Place(ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable, bool indirect);

    /// <summary>Looks at what the device used next.</summary>
    private protected abstract bool TryPeekUsed(out uint id, out uint written);

    /// <summary>Goes past what was looked at, and makes its descriptors free.</summary>
    private protected abstract void Recycle(int id, int descriptors);

    /// <summary>Room for an area, zeroed: the memory may have been used before.</summary>
    private protected static ulong Allocate(DmaMemory memory, ulong bytes)
    {
        ulong address = memory.Allocate((uint)bytes);
        memory.At(address, (int)bytes).Clear();
        return address;
    }

    /// <summary>The buffers of a chain by their place in it.</summary>
    private protected static (DriverBuffer Buffer, bool Write) At(ReadOnlySpan<DriverBuffer> readable, ReadOnlySpan<DriverBuffer> writable, int index) =>
        index < readable.Length ? (readable[index], false) : (writable[index - readable.Length], true);

    private readonly record struct Flight(int Token, int Descriptors, ulong WritableBytes);
}
