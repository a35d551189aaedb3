using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Tests.Fakes;

/// <summary>
/// A device without a transport: the test has its side of the queues. The driver runs on a thread of its own, and finds
/// doorbells that work.
/// </summary>
internal sealed class FakeDevice(DriverMemory memory, ulong offered) : DriverDevice
{
    public const ulong PlainFeatures = Features.Version1 | Features.RingEventIndex | Features.RingIndirectDescriptors;

    private readonly EventFd _call = EventFd.Create();
    private readonly EventFd _loss = EventFd.Create();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private GuestMemory _mapped = GuestMemory.Empty;

    public override DmaMemory Memory => memory;

    public override ulong Offered => offered;

    public byte[] Configuration { get; set; } = [];

    /// <summary>Done when the driver has started the device.</summary>
    public Task Started => _started.Task;

    /// <summary>The device's side; once started.</summary>
    public IReadOnlyList<DeviceQueue> Queues { get; private set; } = [];

    public override int MaxQueueSize(int queue) => 256;

    public override void Start(IReadOnlyList<DriverQueue> queues)
    {
        _mapped = GuestMemory.Empty.TryAdd(memory.Layout, memory.File, out _)!;
        Queues = [.. queues.Select(q => DeviceQueue.TryCreate(_mapped, q.Layout, q.Size, Accepted, 0, out _)!)];
        Poller.Add(_call.Descriptor, PollInterest.Readable, FirstToken);
        Poller.Add(_loss.Descriptor, PollInterest.Readable, FirstToken + 1);
        _started.SetResult();
    }

    public override void Kick(int queue)
    {
    }

    public override void ReadConfiguration(int offset, Span<byte> bytes) => Configuration.AsSpan(offset, bytes.Length).CopyTo(bytes);

    /// <summary>The switch goes away.</summary>
    public void Lose() => _loss.Signal();

    /// <summary>Writes a message into the next buffer of a queue.</summary>
    /// <returns>False if there is none.</returns>
    public bool TryPut(int queue, ReadOnlySpan<byte> message)
    {
        using var chain = new Chain();
        if (Queues[queue].TryPop(chain) != PopResult.Chain)
            return false;
        var to = chain.Writable;
        int written = to.Write(message);
        Use(queue, chain, (uint)written);
        return written == message.Length;
    }

    /// <summary>Reads the next message of a queue.</summary>
    /// <returns>Null if there is none.</returns>
    public byte[]? TryTake(int queue)
    {
        using var chain = new Chain();
        if (Queues[queue].TryPop(chain) != PopResult.Chain)
            return null;
        byte[] message = new byte[chain.ReadableBytes];
        var from = chain.Readable;
        from.Read(message);
        Use(queue, chain, 0);
        return message;
    }

    /// <summary>Gives a chain back.</summary>
    public void Use(int queue, Chain chain, uint written)
    {
        Queues[queue].AddUsed(chain.Ticket, written);
        if (Queues[queue].PublishUsed())
            _call.Signal();
    }

    protected override void OnEvent(ulong token)
    {
        if (token != FirstToken)
            throw new DeviceLostException("the test took it away");
        _call.Drain();
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        foreach (var queue in Queues)
            queue.Dispose();
        _mapped.Release();
        _call.Dispose();
        _loss.Dispose();
    }
}
