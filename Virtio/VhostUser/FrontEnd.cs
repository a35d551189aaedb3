using System.Buffers.Binary;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.VhostUser;

/// <summary>
/// The front-end's side of a vhost-user connection: what a VMM does for its guest, for guests that are processes. Each call
/// sends one message, and waits for the reply if there is one.
/// </summary>
public sealed class FrontEnd : IDisposable
{
    private readonly MessageChannel _channel;
    private readonly Poller _poller = new();
    private readonly int _timeoutMilliseconds;

    private FrontEnd(FileDescriptor socket, TimeSpan timeout)
    {
        _channel = new MessageChannel(socket);
        _timeoutMilliseconds = (int)timeout.TotalMilliseconds;
        _poller.Add(socket, PollInterest.Readable, 0);
    }

    /// <summary>The connection, still owned by this object. Between calls nothing comes but its end.</summary>
    public FileDescriptor Connection => _channel.Socket;

    /// <summary>Whether requests ask to be acknowledged: from SET_PROTOCOL_FEATURES with REPLY_ACK on.</summary>
    public bool Acknowledged { get; private set; }

    /// <summary>Connects to a back-end that listens.</summary>
    /// <exception cref="NativeException">Nobody listens there.</exception>
    public static FrontEnd Connect(string path, TimeSpan timeout) => new(UnixSocket.Connect(path), timeout);

    /// <summary>Speaks over a socket that is connected already.</summary>
    public static FrontEnd Over(FileDescriptor socket, TimeSpan timeout) => new(socket, timeout);

    /// <summary>Sends a request that has a u64 for an answer.</summary>
    /// <exception cref="IOException">The back-end closed, or did not answer in time.</exception>
    public ulong Get(RequestCode request)
    {
        Send(request, [], needReply: false);
        return BinaryPrimitives.ReadUInt64LittleEndian(Reply(request));
    }

    /// <summary>Sends a request whose body is a u64.</summary>
    /// <exception cref="IOException">It was refused, or the back-end closed or did not answer in time.</exception>
    public void Set(RequestCode request, ulong value, params ReadOnlySpan<FileDescriptor> fds)
    {
        Span<byte> body = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(body, value);
        Do(request, body, fds);
        if (request == RequestCode.SetProtocolFeatures)
            Acknowledged = (value & ProtocolFeatures.ReplyAck) != 0;
    }

    /// <summary>Sends a request about a ring: its index and a number.</summary>
    /// <exception cref="IOException">As <see cref="Set"/>.</exception>
    public void SetVring(RequestCode request, uint ring, uint value)
    {
        Span<byte> body = stackalloc byte[MessageLayout.VringStateBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(body, ring);
        BinaryPrimitives.WriteUInt32LittleEndian(body[4..], value);
        Do(request, body);
    }

    /// <summary>Sends a ring's areas.</summary>
    /// <param name="ring">Which.</param>
    /// <param name="layout">Its areas.</param>
    /// <param name="logAddress">Guest address of its used ring, if writes to that are to be logged.</param>
    /// <exception cref="IOException">As <see cref="Set"/>.</exception>
    public void SetVringAddress(uint ring, RingLayout layout, ulong? logAddress = null)
    {
        Span<byte> body = stackalloc byte[MessageLayout.VringAddressBytes];
        body.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(body, ring);
        BinaryPrimitives.WriteUInt64LittleEndian(body[8..], layout.Descriptors);
        BinaryPrimitives.WriteUInt64LittleEndian(body[16..], layout.Used);
        BinaryPrimitives.WriteUInt64LittleEndian(body[24..], layout.Available);
        if (logAddress is { } log)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(body[4..], MessageLayout.LogFlag);
            BinaryPrimitives.WriteUInt64LittleEndian(body[32..], log);
        }
        Do(RequestCode.SetVringAddress, body);
    }

    /// <summary>Stops a ring.</summary>
    /// <returns>The index it stopped at.</returns>
    /// <exception cref="IOException">As <see cref="Get"/>.</exception>
    public uint StopVring(uint ring)
    {
        Span<byte> body = stackalloc byte[MessageLayout.VringStateBytes];
        body.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(body, ring);
        Send(RequestCode.GetVringBase, body, needReply: false);
        return BinaryPrimitives.ReadUInt32LittleEndian(Reply(RequestCode.GetVringBase)[4..]);
    }

    /// <summary>Sends all memory at once.</summary>
    /// <exception cref="IOException">As <see cref="Set"/>.</exception>
    public void SetMemoryTable(params ReadOnlySpan<(RegionLayout Layout, FileDescriptor File)> regions)
    {
        Span<byte> body = stackalloc byte[MessageLayout.TableHeadBytes + regions.Length * MessageLayout.RegionBytes];
        body.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)regions.Length);
        var fds = new FileDescriptor[regions.Length];
        for (int i = 0; i < regions.Length; i++)
        {
            MessageLayout.WriteRegion(body[(MessageLayout.TableHeadBytes + i * MessageLayout.RegionBytes)..], regions[i].Layout);
            fds[i] = regions[i].File;
        }
        Do(RequestCode.SetMemoryTable, body, fds);
    }

    /// <summary>Gives the back-end a bitmap to log dirty pages in.</summary>
    /// <exception cref="IOException">As <see cref="Set"/>.</exception>
    public void SetLogBase(FileDescriptor file, ulong offset, ulong size)
    {
        Span<byte> body = stackalloc byte[MessageLayout.LogBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(body, size);
        BinaryPrimitives.WriteUInt64LittleEndian(body[8..], offset);
        Do(RequestCode.SetLogBase, body, file);
    }

    /// <summary>Adds or removes one memory region.</summary>
    /// <exception cref="IOException">As <see cref="Set"/>.</exception>
    public void ChangeMemory(RequestCode request, RegionLayout region, params ReadOnlySpan<FileDescriptor> file)
    {
        Span<byte> body = stackalloc byte[MessageLayout.TableHeadBytes + MessageLayout.RegionBytes];
        body.Clear();
        MessageLayout.WriteRegion(body[MessageLayout.TableHeadBytes..], region);
        Do(request, body, file);
    }

    /// <summary>Reads from the device's configuration space (vhost-user specification, VHOST_USER_GET_CONFIG).</summary>
    /// <exception cref="IOException">There are not so many bytes, or as <see cref="Get"/>.</exception>
    public void GetConfiguration(int offset, Span<byte> bytes)
    {
        // Offset, size, flags; then the bytes, in the request for the room they take.
        Span<byte> body = stackalloc byte[DeviceMessages.ConfigHeadBytes + bytes.Length];
        body.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)offset);
        BinaryPrimitives.WriteUInt32LittleEndian(body[4..], (uint)bytes.Length);
        Send(RequestCode.GetConfig, body, needReply: false);
        var reply = Reply(RequestCode.GetConfig);
        if (reply.Length != body.Length)
            throw new IOException($"The back-end has not {bytes.Length} bytes of configuration at {offset}.");
        reply[DeviceMessages.ConfigHeadBytes..].CopyTo(bytes);
    }

    /// <summary>Sends any request, and waits for its acknowledgement if they were agreed on.</summary>
    /// <exception cref="IOException">It was refused, or the back-end closed or did not answer in time.</exception>
    public void Do(RequestCode request, ReadOnlySpan<byte> body, params ReadOnlySpan<FileDescriptor> fds)
    {
        Send(request, body, Acknowledged, fds);
        if (Acknowledged && BinaryPrimitives.ReadUInt64LittleEndian(Reply(request)) is not 0 and var answer)
            throw new IOException($"The back-end refused {request} with {answer}.");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _poller.Dispose();
        _channel.Dispose();
    }

    private void Send(RequestCode request, ReadOnlySpan<byte> body, bool needReply, params ReadOnlySpan<FileDescriptor> fds)
    {
        if (!_channel.TrySend(request, body, reply: false, needReply, fds))
            throw new IOException($"The back-end is gone, or does not read: {request} was not sent.");
    }

    private ReadOnlySpan<byte> Reply(RequestCode request)
    {
        Span<PollEvent> events = stackalloc PollEvent[1];
        long until = Environment.TickCount64 + _timeoutMilliseconds;
        while (true)
        {
            switch (_channel.TryReceive())
            {
                case ReceiveResult.Message when _channel.IsReply && _channel.Request == request && _channel.Body.Length >= sizeof(ulong):
                    return _channel.Body;
                case ReceiveResult.Message:
                    throw new IOException($"The back-end answered {request} with {_channel.Request}, {_channel.Body.Length} bytes.");
                case ReceiveResult.Closed:
                    throw new IOException($"The back-end closed the connection at {request}.");
                case ReceiveResult.Violation:
                    throw new IOException($"The back-end answered {request} with {_channel.Violation}.");
            }
            long left = until - Environment.TickCount64;
            if (left <= 0)
                throw new IOException($"The back-end did not answer {request} in {_timeoutMilliseconds} ms.");
            _poller.Wait(events, (int)left);
        }
    }
}
