using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Testing;

/// <summary>A frame as a guest got it.</summary>
/// <param name="Header">Its header, as it lay in the first buffer.</param>
/// <param name="Frame">The frame behind it, from all its buffers.</param>
/// <param name="Buffers">How many buffers it took.</param>
/// <param name="Written">What the device said it wrote, in all of them.</param>
public sealed record ReceivedFrame(byte[] Header, byte[] Frame, int Buffers, uint Written);

/// <summary>One virtqueue of a <see cref="TestGuest"/>, with its doorbells.</summary>
public sealed class TestQueue : IDisposable
{
    private readonly TestGuest _guest;
    private readonly Poller _poller = new();
    private readonly Dictionary<int, DriverBuffer> _buffers = [];
    private readonly Dictionary<int, DriverBuffer> _rooms = [];
    private readonly List<DriverBuffer> _spare = [];
    private int _nextToken;

    internal TestQueue(TestGuest guest, int ring, TestGuestOptions options)
    {
        (_guest, Ring) = (guest, (uint)ring);
        Driver = DriverQueue.Create(guest.Memory, options.QueueSize, options.Features, options.MaxIndirect);
        _poller.Add(Call.Descriptor, PollInterest.Readable, 0);
    }

    /// <summary>Its index in vhost-user messages.</summary>
    public uint Ring { get; }

    /// <summary>The rings.</summary>
    public DriverQueue Driver { get; }

    /// <summary>Rung by the guest.</summary>
    public EventFd Kick { get; } = EventFd.Create();

    /// <summary>Rung by the device.</summary>
    public EventFd Call { get; } = EventFd.Create();

    /// <summary>Whether the device has given something back that was not taken yet. Asks for a call, too.</summary>
    public bool HasUsed => Driver.EnableCalls();

    /// <summary>Offers new receive buffers.</summary>
    public void PostBuffers(int count, uint bytes)
    {
        for (int i = 0; i < (count < 0 ? Driver.Size : count); i++)
            Post(new DriverBuffer(_guest.Memory.Allocate(bytes), bytes));
        KickIfWanted();
    }

    /// <summary>Sends a frame in one descriptor.</summary>
    public void Send(NetHeader header, ReadOnlySpan<byte> frame) => SendIn(header, frame, [int.MaxValue]);

    /// <summary>Sends a frame cut into descriptors of the given lengths, over and over; a length of 0 is an empty descriptor.</summary>
    public void SendIn(NetHeader header, ReadOnlySpan<byte> frame, IReadOnlyList<int> lengths)
    {
        Span<byte> head = stackalloc byte[NetHeader.Bytes];
        header.Write(head, 0);
        byte[] whole = [.. head[.._guest.HeaderBytes], .. frame];
        var buffer = TakeSpare((uint)whole.Length);
        ulong address = buffer.GuestAddress;
        whole.CopyTo(_guest.Memory.At(address, whole.Length));
        var pieces = new List<DriverBuffer>();
        for (int at = 0, i = 0; at < whole.Length; i++)
        {
            int length = Math.Min(lengths[i % lengths.Count], whole.Length - at);
            pieces.Add(new DriverBuffer(address + (uint)at, (uint)length));
            at += length;
        }
        if (!Driver.TryAdd([.. pieces], [], _nextToken))
            throw new InvalidOperationException("The transmit queue is full.");
        _buffers.Add(_nextToken++, buffer);
        KickIfWanted();
    }

    /// <summary>Offers one chain: bytes for the device to read, then room for it to write.</summary>
    /// <returns>Its token.</returns>
    public int Submit(ReadOnlySpan<byte> readable, int writable, bool kick = true)
    {
        var buffer = TakeSpare((uint)(readable.Length + writable));
        readable.CopyTo(_guest.Memory.At(buffer.GuestAddress, readable.Length));
        var room = new DriverBuffer(buffer.GuestAddress + (uint)readable.Length, (uint)writable);
        _guest.Memory.At(room.GuestAddress, writable).Fill(0xee);
        if (!Driver.TryAdd(readable.Length > 0 ? [buffer with { Length = (uint)readable.Length }] : [], writable > 0 ? [room] : [], _nextToken))
            throw new InvalidOperationException("The queue is full.");
        _buffers.Add(_nextToken, buffer);
        _rooms.Add(_nextToken, room);
        if (kick)
            KickIfWanted();
        return _nextToken++;
    }

    /// <summary>Waits for a chain of <see cref="Submit"/> to come back.</summary>
    /// <returns>Its token, what the device says it wrote, and all of its room.</returns>
    /// <exception cref="TimeoutException">None came.</exception>
    public (int Token, uint Written, byte[] Room) NextCompletion()
    {
        var (token, written) = WaitForUsed();
        _buffers.Remove(token, out var buffer);
        _spare.Add(buffer);
        _rooms.Remove(token, out var room);
        return (token, written, _guest.Memory.At(room.GuestAddress, (int)room.Length).ToArray());
    }

    /// <summary>Waits for the next buffer to be filled, reads it as it is, and offers it again.</summary>
    /// <exception cref="TimeoutException">None was.</exception>
    public byte[] NextBytes()
    {
        var (token, written) = WaitForUsed();
        byte[] bytes = Take(token, written);
        KickIfWanted();
        return bytes;
    }

    /// <summary>Shows the device what was added, and kicks if it wants that.</summary>
    public void KickIfWanted()
    {
        if (Driver.Publish())
            Kick.Signal();
    }

    /// <summary>Waits until the device gives a chain back.</summary>
    /// <returns>The bytes it says it wrote.</returns>
    /// <exception cref="TimeoutException">None came.</exception>
    public uint NextUsed()
    {
        var (token, written) = WaitForUsed();
        if (_buffers.Remove(token, out var buffer))
            _spare.Add(buffer);
        return written;
    }

    /// <summary>Waits for the next frame, reads it, and offers its buffers again.</summary>
    /// <exception cref="TimeoutException">None came.</exception>
    public ReceivedFrame NextFrame()
    {
        var (token, written) = WaitForUsed();
        byte[] first = Take(token, written);
        int headerBytes = _guest.HeaderBytes;
        byte[] header = first[..Math.Min(headerBytes, first.Length)];
        var frame = new List<byte>(first[header.Length..]);
        int buffers = headerBytes == NetHeader.Bytes && header.Length == headerBytes ? header[10] | header[11] << 8 : 1;
        for (int i = 1; i < buffers; i++)
        {
            var (next, more) = WaitForUsed();
            frame.AddRange(Take(next, more));
            written += more;
        }
        KickIfWanted();
        return new ReceivedFrame(header, [.. frame], buffers, written);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _poller.Dispose();
        Kick.Dispose();
        Call.Dispose();
    }

    private DriverBuffer TakeSpare(uint bytes)
    {
        int at = _spare.FindIndex(b => b.Length >= bytes);
        if (at < 0)
            return new DriverBuffer(_guest.Memory.Allocate(bytes), bytes);
        var buffer = _spare[at];
        _spare.RemoveAt(at);
        return buffer;
    }

    private void Post(DriverBuffer buffer)
    {
        if (!Driver.TryAdd([], [buffer], _nextToken))
            throw new InvalidOperationException("The receive queue is full.");
        _buffers.Add(_nextToken++, buffer);
    }

    private byte[] Take(int token, uint written)
    {
        _buffers.Remove(token, out var buffer);
        byte[] bytes = _guest.Memory.At(buffer.GuestAddress, (int)written).ToArray();
        Post(buffer);
        return bytes;
    }

    private (int Token, uint Written) WaitForUsed()
    {
        Span<PollEvent> events = stackalloc PollEvent[1];
        long until = Environment.TickCount64 + (long)TestGuest.Patience.TotalMilliseconds;
        while (true)
        {
            if (Driver.TryGetUsed(out int token, out uint written))
                return (token, written);
            if (Driver.EnableCalls())
                continue;
            int left = (int)Math.Max(0, until - Environment.TickCount64);
            if (left == 0)
                throw new TimeoutException($"ring {Ring}: the device gave nothing back in {TestGuest.Patience.TotalSeconds} s");
            // May end early: the end of a child process is a signal.
            _poller.Wait(events, left);
            Call.Drain();
        }
    }
}
