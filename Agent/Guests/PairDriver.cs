using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Guests;

/// <summary>
/// A driver of a pair of queues, as network and console devices have them (VIRTIO 1.2, 5.1 and 5.3): messages in buffers that
/// stay where they are. Receive buffers hold the largest frame, so they need not be mergeable.
/// </summary>
internal sealed class PairDriver
{
    private const int ReceiveQueue = 0, TransmitQueue = 1;

    private readonly DriverDevice _device;
    private readonly int _headerBytes;
    private readonly DriverQueue _receive;
    private readonly DriverQueue _transmit;
    private readonly DriverBuffer[] _receiveBuffers;
    private readonly DriverBuffer[] _transmitBuffers;
    private readonly Stack<int> _freeToSend;
    private int _held = -1;
    private bool _added;

    /// <summary>Makes the queues, posts the receive buffers, and starts the device.</summary>
    /// <param name="device">A device with such a pair, whose features are accepted.</param>
    /// <param name="largestFrame">Bytes.</param>
    /// <param name="queueSize">Entries per queue, if the device has as many.</param>
    /// <param name="headerBytes">In front of every frame: a <see cref="NetHeader"/>, or 0.</param>
    /// <exception cref="AgentException">It is not such a device.</exception>
    public PairDriver(DriverDevice device, int largestFrame, int queueSize, int headerBytes = NetHeader.Bytes)
    {
        (_device, _headerBytes) = (device, headerBytes);
        _receive = MakeQueue(device, ReceiveQueue, queueSize);
        _transmit = MakeQueue(device, TransmitQueue, queueSize);
        uint bufferBytes = (uint)(headerBytes + largestFrame);
        _receiveBuffers = MakeBuffers(device, _receive.Size, bufferBytes);
        _transmitBuffers = MakeBuffers(device, _transmit.Size, bufferBytes);
        foreach (var buffer in _transmitBuffers)
            device.Memory.At(buffer.GuestAddress, headerBytes).Clear();
        _freeToSend = new Stack<int>(Enumerable.Range(0, _transmit.Size).Reverse());
        for (int i = 0; i < _receiveBuffers.Length; i++)
            _receive.TryAdd([], [_receiveBuffers[i]], i);
        _receive.Publish();
        device.Start([_receive, _transmit]);
        _transmit.DisableCalls();
        device.Kick(ReceiveQueue);
    }

    /// <summary>Frames that can be sent now.</summary>
    public int Room => _freeToSend.Count;

    /// <summary>Frames that the device has not taken yet.</summary>
    public int Unsent => _transmit.InFlight;

    /// <summary>Takes the next frame that has come. It is valid until the next call.</summary>
    /// <param name="packet">Its header, and the frame.</param>
    /// <exception cref="InvalidDataException">The device is at fault.</exception>
    public bool TryReceive(out Span<byte> packet)
    {
        Release();
        packet = default;
        if (!_receive.TryGetUsed(out int token, out uint written))
            return false;
        _held = token;
        if (written < _headerBytes)
            throw new InvalidDataException($"The device wrote a frame of {written} bytes, less than its header.");
        packet = _device.Memory.At(_receiveBuffers[token].GuestAddress, (int)written);
        return true;
    }

    /// <summary>Gives the buffers of frames that were received back to the device, and kicks if it wants that.</summary>
    public void FlushReceive()
    {
        Release();
        if (_added && _receive.Publish())
            _device.Kick(ReceiveQueue);
        _added = false;
    }

    /// <summary>A free buffer to send from, if there is one.</summary>
    /// <param name="slot">Its number, for <see cref="Send"/>.</param>
    /// <param name="packet">Room for a header and the largest frame: a header of zeros, or what was sent from this slot before.</param>
    public bool TryTake(out int slot, out Span<byte> packet)
    {
        packet = default;
        if (!_freeToSend.TryPop(out slot))
            return false;
        var buffer = _transmitBuffers[slot];
        packet = _device.Memory.At(buffer.GuestAddress, (int)buffer.Length);
        return true;
    }

    /// <summary>Sends what is in a slot, with the next <see cref="FlushTransmit"/>.</summary>
    /// <param name="slot">From <see cref="TryTake"/>.</param>
    /// <param name="bytes">Of header and frame.</param>
    public void Send(int slot, int bytes)
    {
        var buffer = _transmitBuffers[slot] with { Length = (uint)bytes };
        // There are as many slots as descriptors.
        _transmit.TryAdd([buffer], [], slot);
    }

    /// <summary>Gives a slot back unused.</summary>
    public void Return(int slot) => _freeToSend.Push(slot);

    /// <summary>Shows the device what is to be sent, and kicks if it wants that.</summary>
    public void FlushTransmit()
    {
        if (_transmit.Publish())
            _device.Kick(TransmitQueue);
    }

    /// <summary>Takes back what was sent.</summary>
    /// <returns>How many frames.</returns>
    /// <exception cref="InvalidDataException">The device is at fault.</exception>
    public int Reclaim()
    {
        int count = 0;
        for (; _transmit.TryGetUsed(out int slot, out _); count++)
            _freeToSend.Push(slot);
        return count;
    }

    /// <summary>Asks to be called for the next frame.</summary>
    /// <returns>Whether there is one already.</returns>
    public bool ArmReceive() => _receive.EnableCalls();

    /// <summary>Asks to be called when frames were sent.</summary>
    /// <returns>Whether some were already.</returns>
    public bool ArmTransmit() => _transmit.EnableCalls();

    /// <summary>Asks not to be called: somebody looks anyway.</summary>
    public void Disarm()
    {
        _receive.DisableCalls();
        _transmit.DisableCalls();
    }

    private static DriverQueue MakeQueue(DriverDevice device, int index, int wantedSize)
    {
        int size = Math.Min(wantedSize, device.MaxQueueSize(index));
        return size > 0
            ? DriverQueue.Create(device.Memory, size, device.Accepted)
            : throw new AgentException($"the device has no queue {index}, so it is not of the kind that this role drives");
    }

    private static DriverBuffer[] MakeBuffers(DriverDevice device, int count, uint bytes) =>
        [.. Enumerable.Range(0, count).Select(_ => new DriverBuffer(device.Memory.Allocate(bytes, 64), bytes))];

    private void Release()
    {
        if (_held < 0)
            return;
        _receive.TryAdd([], [_receiveBuffers[_held]], _held);
        _held = -1;
        _added = true;
    }
}
