using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Block;

/// <summary>
/// The queues of a serving device (docs/block-serving.md, section 1), and the slots that requests come in: each has room for
/// a request's header, a reply's, and page-aligned data, which are the request's or the reply's. A slot is posted, worked
/// on, or on its way back.
/// </summary>
internal sealed class ServingDriver
{
    private const int RequestQueue = 0, ReplyQueue = 1;
    private const int QueueSize = 256, PiecesOfMessage = 2, Announcements = 4;
    private const uint Page = 4096;

    /// <summary>The features that it can use.</summary>
    public const ulong Wanted = Features.RingIndirectDescriptors;

    private readonly DriverDevice _device;
    private readonly DriverQueue _requests;
    private readonly DriverQueue _replies;
    private readonly Slot[] _slots;
    private readonly ulong[] _announcements;
    private readonly Stack<int> _freeAnnouncements;
    private bool _posted;
    private bool _replied;

    /// <summary>Makes the queues, posts all slots, and starts the device.</summary>
    /// <param name="device">A device with the two queues, whose features are accepted.</param>
    /// <param name="slots">As many, if the queues have room for them.</param>
    /// <param name="maxData">Bytes of data of a slot: whole pages.</param>
    /// <exception cref="AgentException">It is not such a device.</exception>
    public ServingDriver(DriverDevice device, int slots, int maxData)
    {
        int size = Math.Min(QueueSize, Math.Min(device.MaxQueueSize(RequestQueue), device.MaxQueueSize(ReplyQueue)));
        if (size == 0)
            throw new AgentException("the device has not the two queues of a block server");
        _device = device;
        int indirect = (device.Accepted & Features.RingIndirectDescriptors) != 0 ? PiecesOfMessage : 0;
        _requests = DriverQueue.Create(device.Memory, size, device.Accepted, indirect);
        _replies = DriverQueue.Create(device.Memory, size, device.Accepted, indirect);
        int chains = indirect > 0 ? size : size / PiecesOfMessage;
        _slots = [.. Enumerable.Range(0, Math.Min(slots, chains - Announcements)).Select(_ => MakeSlot(maxData))];
        _announcements = [.. Enumerable.Range(0, Announcements).Select(_ => device.Memory.Allocate(BlockAnnouncement.Bytes))];
        _freeAnnouncements = new Stack<int>(Enumerable.Range(0, Announcements));
        for (int slot = 0; slot < _slots.Length; slot++)
            Post(slot);
        _requests.Publish();
        device.Start([_requests, _replies]);
        _posted = false;
        device.Kick(RequestQueue);
    }

    /// <summary>Slots that there are.</summary>
    public int Slots => _slots.Length;

    /// <summary>Takes the next message.</summary>
    /// <param name="slot">Where it is: the caller's until it posts it or replies with it.</param>
    /// <param name="bytes">Of the message.</param>
    /// <exception cref="InvalidDataException">The device is at fault.</exception>
    public bool TryReceive(out int slot, out int bytes)
    {
        bool got = _requests.TryGetUsed(out slot, out uint written);
        bytes = (int)written;
        return got;
    }

    /// <summary>The first bytes of the message in a slot.</summary>
    public Span<byte> Header(int slot) => _device.Memory.At(_slots[slot].Request, BlockServingRequest.Bytes);

    /// <summary>The data of a slot.</summary>
    public Span<byte> Data(int slot, int bytes) => _device.Memory.At(_slots[slot].Data.GuestAddress, bytes);

    /// <summary>Offers a slot for a request, with the next <see cref="Flush"/>.</summary>
    public void Post(int slot)
    {
        var (request, _, data) = _slots[slot];
        _requests.TryAdd([], [new DriverBuffer(request, BlockServingRequest.Bytes), data], slot);
        _posted = true;
    }

    /// <summary>Sends a slot back with a reply, with the next <see cref="Flush"/>.</summary>
    public void Reply(int slot, in BlockServingReply reply)
    {
        var (_, header, data) = _slots[slot];
        reply.Write(_device.Memory.At(header, BlockServingReply.Bytes));
        var head = new DriverBuffer(header, BlockServingReply.Bytes);
        // There is room: no more slots than chains are in the queue.
        if (reply.DataBytes > 0)
            _replies.TryAdd([head, data with { Length = reply.DataBytes }], [], slot);
        else
            _replies.TryAdd([head], [], slot);
        _replied = true;
    }

    /// <summary>Announces the disk, with the next <see cref="Flush"/>.</summary>
    /// <returns>False if earlier announcements have not been taken yet: try again when something was.</returns>
    public bool TryAnnounce(uint epoch, BlockAnnouncement announcement)
    {
        if (!_freeAnnouncements.TryPop(out int index))
            return false;
        announcement.Write(_device.Memory.At(_announcements[index], BlockAnnouncement.Bytes), epoch);
        _replies.TryAdd([new DriverBuffer(_announcements[index], BlockAnnouncement.Bytes)], [], _slots.Length + index);
        _replied = true;
        return true;
    }

    /// <summary>Offers the slots anew whose replies the device has taken.</summary>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="InvalidDataException">The device is at fault.</exception>
    public bool Reclaim()
    {
        bool any = false;
        for (; _replies.TryGetUsed(out int token, out _); any = true)
        {
            if (token < _slots.Length)
                Post(token);
            else
                _freeAnnouncements.Push(token - _slots.Length);
        }
        return any;
    }

    /// <summary>Shows the device what was added, and kicks if it wants that.</summary>
    public void Flush()
    {
        if (_posted && _requests.Publish())
            _device.Kick(RequestQueue);
        if (_replied && _replies.Publish())
            _device.Kick(ReplyQueue);
        _posted = _replied = false;
    }

    /// <summary>Asks to be called for requests and for replies that were taken.</summary>
    /// <returns>Whether there are some already.</returns>
    public bool Arm() => _requests.EnableCalls() | _replies.EnableCalls();

    private Slot MakeSlot(int maxData) => new(
        _device.Memory.Allocate(BlockServingRequest.Bytes),
        _device.Memory.Allocate(BlockServingReply.Bytes),
        new DriverBuffer(_device.Memory.Allocate((uint)maxData, Page), (uint)maxData));

    private readonly record struct Slot(ulong Request, ulong Reply, DriverBuffer Data);
}
