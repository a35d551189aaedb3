using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.VhostUser;

/// <summary>What came of looking for the next message.</summary>
public enum ReceiveResult
{
    /// <summary>A whole message is there.</summary>
    Message,

    /// <summary>Not yet all of it.</summary>
    Incomplete,

    /// <summary>The peer closed the socket.</summary>
    Closed,

    /// <summary>What came is no message; <see cref="MessageChannel.Violation"/> says why.</summary>
    Violation,
}

/// <summary>
/// One vhost-user connection: takes messages off a non-blocking socket, and owns every descriptor that comes along until
/// somebody takes it. Used by one thread at a time.
/// </summary>
public sealed unsafe class MessageChannel(FileDescriptor socket) : IDisposable
{
    private readonly byte[] _buffer = new byte[MessageLayout.HeaderBytes + MessageLayout.MaxBodyBytes];
    private readonly List<FileDescriptor> _fds = [];
    private int _received;

    /// <summary>The socket, owned by this object.</summary>
    public FileDescriptor Socket { get; } = socket;

    /// <summary>The request of the message received last.</summary>
    public RequestCode Request => (RequestCode)Word(0);

    /// <summary>Whether its sender wants to know if it was done.</summary>
    public bool NeedsReply => (Flags & MessageLayout.NeedReplyFlag) != 0;

    /// <summary>Whether it is a reply.</summary>
    public bool IsReply => (Flags & MessageLayout.ReplyFlag) != 0;

    /// <summary>Its body.</summary>
    public ReadOnlySpan<byte> Body => _buffer.AsSpan(MessageLayout.HeaderBytes, BodyBytes);

    /// <summary>How many descriptors came with it and were not taken.</summary>
    public int FdCount => _fds.Count;

    /// <summary>Why nothing more can be received; empty if it can.</summary>
    public string Violation { get; private set; } = "";

    /// <summary>The kind of <see cref="Violation"/>.</summary>
    public MessageFault Fault { get; private set; }

    /// <summary>How many whole messages have come.</summary>
    public long MessagesReceived { get; private set; }

    /// <summary>Whether a message has begun and not ended: its sender should not take long.</summary>
    public bool IsPartial => _received > 0 && !IsWhole;

    private uint Flags => Word(4);

    private int BodyBytes => (int)Word(8);

    private bool IsWhole => _received >= MessageLayout.HeaderBytes && _received == MessageLayout.HeaderBytes + BodyBytes;

    /// <summary>Takes what the socket has of the next message. Descriptors of the last message that nobody took are closed.</summary>
    public ReceiveResult TryReceive()
    {
        if (Violation != "")
            return ReceiveResult.Violation; // where the next message begins, nobody knows any more
        if (IsWhole)
        {
            DropFds();
            _received = 0;
        }
        while (true)
        {
            int wanted = _received < MessageLayout.HeaderBytes ? MessageLayout.HeaderBytes : MessageLayout.HeaderBytes + BodyBytes;
            var result = Receive(wanted - _received);
            if (result != ReceiveResult.Message)
                return result;
            if (_received == MessageLayout.HeaderBytes && HeaderFault() is not MessageFault.None and var fault)
                return Violate(fault);
            if (IsWhole)
            {
                MessagesReceived++;
                return ReceiveResult.Message;
            }
        }
    }

    /// <summary>Takes a descriptor that came with the message; the caller owns it.</summary>
    public FileDescriptor TakeFd()
    {
        var fd = _fds[0];
        _fds.RemoveAt(0);
        return fd;
    }

    /// <summary>Sends a message whole, or not at all.</summary>
    /// <returns>False if the peer does not read what it is sent, or is gone.</returns>
    /// <exception cref="ArgumentException">It is larger than a message can be.</exception>
    public bool TrySend(RequestCode request, ReadOnlySpan<byte> body, bool reply, bool needReply = false, params ReadOnlySpan<FileDescriptor> fds)
    {
        if (body.Length > MessageLayout.MaxBodyBytes || fds.Length > MessageLayout.MaxFds)
            throw new ArgumentException($"A message has at most {MessageLayout.MaxBodyBytes} bytes and {MessageLayout.MaxFds} file descriptors.");
        Span<byte> message = stackalloc byte[MessageLayout.HeaderBytes + body.Length];
        uint flags = MessageLayout.Version | (reply ? MessageLayout.ReplyFlag : 0) | (needReply ? MessageLayout.NeedReplyFlag : 0);
        MessageLayout.WriteHeader(message, request, flags, body.Length);
        body.CopyTo(message[MessageLayout.HeaderBytes..]);
        return SendAll(message, fds);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        DropFds();
        Socket.Dispose();
    }

    private uint Word(int at) => BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(at));

    private MessageFault HeaderFault() =>
        (Flags & MessageLayout.VersionMask) != MessageLayout.Version ? MessageFault.WrongVersion
        : Word(8) > MessageLayout.MaxBodyBytes ? MessageFault.MessageTooLarge
        : MessageFault.None;

    private ReceiveResult Receive(int count)
    {
        if (count == 0)
            return ReceiveResult.Message;
        // struct cmsghdr is a length (size_t), level and type (int), then the descriptors.
        byte* control = stackalloc byte[16 + MessageLayout.MaxFds * sizeof(int)];
        nint got;
        int flags;
        fixed (byte* to = &_buffer[_received])
        {
            Libc.IoVector vector = new() { Base = to, Length = (nuint)count };
            Libc.MessageHeader header = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 16 + MessageLayout.MaxFds * sizeof(int) };
            got = Libc.recvmsg(Socket.Number, &header, Libc.MSG_DONTWAIT | Libc.MSG_CMSG_CLOEXEC);
            flags = header.Flags;
            if (got >= 0)
                OwnFds(control, header.ControlLength);
        }
        if (got < 0)
            return Libc.LastError is Libc.EAGAIN or Libc.EINTR ? ReceiveResult.Incomplete : ReceiveResult.Closed;
        if (got == 0)
            return ReceiveResult.Closed;
        _received += (int)got;
        if ((flags & Libc.MSG_CTRUNC) != 0 || _fds.Count > MessageLayout.MaxFds)
            return Violate(MessageFault.WrongDescriptorCount);
        return got == count ? ReceiveResult.Message : ReceiveResult.Incomplete;
    }

    private void OwnFds(byte* control, nuint length)
    {
        for (nuint at = 0; at + 16 <= length;)
        {
            nuint bytes = Unsafe.ReadUnaligned<nuint>(control + at);
            if (bytes < 16 || bytes > length - at)
                return;
            if (Unsafe.ReadUnaligned<int>(control + at + 8) == Libc.SOL_SOCKET && Unsafe.ReadUnaligned<int>(control + at + 12) == Libc.SCM_RIGHTS)
                for (nuint fd = 16; fd + sizeof(int) <= bytes; fd += sizeof(int))
                    _fds.Add(new FileDescriptor(Unsafe.ReadUnaligned<int>(control + at + fd)));
            at += (bytes + 7) & ~(nuint)7;
        }
    }

    private bool SendAll(ReadOnlySpan<byte> message, ReadOnlySpan<FileDescriptor> fds)
    {
        byte* control = stackalloc byte[16 + MessageLayout.MaxFds * sizeof(int)];
        nuint controlLength = 0;
        if (fds.Length > 0)
        {
            controlLength = (nuint)(16 + fds.Length * sizeof(int));
            Unsafe.WriteUnaligned(control, controlLength);
            Unsafe.WriteUnaligned(control + 8, Libc.SOL_SOCKET);
            Unsafe.WriteUnaligned(control + 12, Libc.SCM_RIGHTS);
            for (int i = 0; i < fds.Length; i++)
                Unsafe.WriteUnaligned(control + 16 + i * sizeof(int), fds[i].Number);
            controlLength = (controlLength + 7) & ~(nuint)7;
        }
        fixed (byte* from = message)
        {
            Libc.IoVector vector = new() { Base = from, Length = (nuint)message.Length };
            Libc.MessageHeader header = new()
            {
                Vectors = &vector, VectorCount = 1,
                Control = controlLength > 0 ? control : null, ControlLength = controlLength,
            };
            // Messages are far smaller than a socket's buffer: one that does not fit whole has a peer that does not read.
            return Libc.sendmsg(Socket.Number, &header, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL) == message.Length;
        }
    }

    private ReceiveResult Violate(MessageFault fault)
    {
        Fault = fault;
        Violation = fault switch
        {
            MessageFault.WrongVersion => $"a message of protocol version {Flags & MessageLayout.VersionMask}, not 1",
            MessageFault.MessageTooLarge => $"{Request} with a body of {Word(8)} bytes, more than {MessageLayout.MaxBodyBytes}",
            _ => $"a message with more than {MessageLayout.MaxFds} file descriptors",
        };
        return ReceiveResult.Violation;
    }

    private void DropFds()
    {
        foreach (var fd in _fds)
            fd.Dispose();
        _fds.Clear();
    }
}
