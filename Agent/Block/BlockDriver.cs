using System.Buffers.Binary;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Block;

/// <summary>What a block device says of itself (VIRTIO 1.2, 5.2.4).</summary>
/// <param name="Bytes">Of the disk.</param>
/// <param name="BlockBytes">Of a block, of which requests have whole ones.</param>
/// <param name="Features">Those that were agreed on.</param>
/// <param name="MaxDiscard">Most sectors of a DISCARD.</param>
/// <param name="MaxWriteZeroes">Most sectors of a WRITE_ZEROES.</param>
internal readonly record struct BlockGeometry(ulong Bytes, uint BlockBytes, ulong Features, uint MaxDiscard, uint MaxWriteZeroes)
{
    /// <summary>Whether a feature was agreed on.</summary>
    public bool Has(ulong feature) => (Features & feature) != 0;
}

/// <summary>
/// A driver of a block device's first queue (5.2): requests in slots of its own memory, which hold a header, data and the
/// status.
/// </summary>
internal sealed class BlockDriver
{
    private const int Queue = 0, QueueSize = 256, PiecesOfRequest = 3, CapacityAt = 0, BlockSizeAt = 20, MaxDiscardAt = 36, MaxWriteZeroesAt = 48;
    private const uint Page = 4096;
    private const byte NotYet = 0xff;

    /// <summary>The features that it can use.</summary>
    public const ulong Wanted = Features.RingIndirectDescriptors | Features.BlockReadOnly | Features.BlockSize | Features.BlockFlush | Features.BlockDiscard | Features.BlockWriteZeroes;

    private readonly DriverDevice _device;
    private readonly DriverQueue _queue;
    private readonly Slot[] _slots;
    private readonly Stack<int> _free;
    private bool _added;

    /// <summary>Makes the queue and starts the device.</summary>
    /// <param name="device">A block device, whose features are accepted.</param>
    /// <param name="slots">Requests in flight, if the queue has room for as many.</param>
    /// <param name="dataBytes">Most data of a request: whole pages.</param>
    /// <exception cref="AgentException">It is not such a device.</exception>
    public BlockDriver(DriverDevice device, int slots, int dataBytes)
    {
        int size = Math.Min(QueueSize, device.MaxQueueSize(Queue));
        if (size < PiecesOfRequest)
            throw new AgentException("the device has no queue for requests, so it is not a block device");
        _device = device;
        int indirect = (device.Accepted & Features.RingIndirectDescriptors) != 0 ? PiecesOfRequest : 0;
        _queue = DriverQueue.Create(device.Memory, size, device.Accepted, indirect);
        _slots = [.. Enumerable.Range(0, Math.Min(slots, indirect > 0 ? size : size / PiecesOfRequest)).Select(_ => MakeSlot(dataBytes))];
        _free = new Stack<int>(Enumerable.Range(0, _slots.Length));
        device.Start([_queue]);
    }

    /// <summary>Whether a request can be sent now.</summary>
    public bool HasRoom => _free.Count > 0;

    /// <summary>Asks the device what it is now.</summary>
    /// <exception cref="DeviceLostException">It is gone.</exception>
    public BlockGeometry ReadGeometry()
    {
        Span<byte> configuration = stackalloc byte[BlockConfig.Bytes];
        _device.ReadConfiguration(0, configuration);
        ulong features = _device.Accepted;
        uint blockBytes = (features & Features.BlockSize) != 0 ? BinaryPrimitives.ReadUInt32LittleEndian(configuration[BlockSizeAt..]) : BlockRequest.SectorBytes;
        return new BlockGeometry(
            BinaryPrimitives.ReadUInt64LittleEndian(configuration[CapacityAt..]) * BlockRequest.SectorBytes, blockBytes, features,
            BinaryPrimitives.ReadUInt32LittleEndian(configuration[MaxDiscardAt..]), BinaryPrimitives.ReadUInt32LittleEndian(configuration[MaxWriteZeroesAt..]));
    }

    /// <summary>Sends a request, with the next <see cref="Flush"/>. There must be room.</summary>
    /// <returns>Its slot, by which it comes back.</returns>
    public int Send(in BlockRequest request, ReadOnlySpan<byte> toWrite, int toRead)
    {
        int index = _free.Pop();
        var slot = _slots[index];
        request.Write(_device.Memory.At(slot.Header, BlockRequest.Bytes));
        _device.Memory.At(slot.Status, 1)[0] = NotYet;
        toWrite.CopyTo(Data(index, toWrite.Length));
        var header = new DriverBuffer(slot.Header, BlockRequest.Bytes);
        var status = new DriverBuffer(slot.Status, 1);
        if (toWrite.Length > 0)
            _queue.TryAdd([header, new DriverBuffer(slot.Data, (uint)toWrite.Length)], [status], index);
        else if (toRead > 0)
            _queue.TryAdd([header], [new DriverBuffer(slot.Data, (uint)toRead), status], index);
        else
            _queue.TryAdd([header], [status], index);
        _added = true;
        return index;
    }

    /// <summary>Takes the next request that is done. Its slot is the caller's until <see cref="Free"/>.</summary>
    /// <param name="slot">Which.</param>
    /// <param name="status">How it ended: an error if the device did not say.</param>
    /// <exception cref="InvalidDataException">The device is at fault.</exception>
    public bool TryComplete(out int slot, out BlockStatus status)
    {
        status = BlockStatus.IoError;
        if (!_queue.TryGetUsed(out slot, out _))
            return false;
        byte said = _device.Memory.At(_slots[slot].Status, 1)[0];
        status = said <= (byte)BlockStatus.Unsupported ? (BlockStatus)said : BlockStatus.IoError;
        return true;
    }

    /// <summary>The data of a slot.</summary>
    public Span<byte> Data(int slot, int bytes) => _device.Memory.At(_slots[slot].Data, bytes);

    /// <summary>Gives a slot back.</summary>
    public void Free(int slot) => _free.Push(slot);

    /// <summary>Shows the device what was added, and kicks if it wants that.</summary>
    public void Flush()
    {
        if (_added && _queue.Publish())
            _device.Kick(Queue);
        _added = false;
    }

    /// <summary>Asks to be called for the next request that is done.</summary>
    /// <returns>Whether there is one already.</returns>
    public bool Arm() => _queue.EnableCalls();

    private Slot MakeSlot(int dataBytes) => new(
        _device.Memory.Allocate(BlockRequest.Bytes), _device.Memory.Allocate((uint)dataBytes, Page), _device.Memory.Allocate(1));

    private readonly record struct Slot(ulong Header, ulong Data, ulong Status);
}
