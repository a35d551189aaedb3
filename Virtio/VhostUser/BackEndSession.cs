using System.Buffers.Binary;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.VhostUser;

/// <summary>What became of a connection.</summary>
public enum SessionState
{
    /// <summary>It goes on.</summary>
    Open,

    /// <summary>The front-end closed it.</summary>
    Closed,

    /// <summary>The front-end broke the protocol; nothing more it says can be understood.</summary>
    Broken,
}

/// <summary>
/// The back-end's side of one vhost-user connection: checks each message, calls the device's method for it, replies. A
/// message that is well-formed and cannot be done is refused, and the connection goes on; see <see cref="Refused"/>.
/// </summary>
public sealed class BackEndSession(MessageChannel channel, IBackEnd device) : IDisposable
{
    private static readonly Verdict NotRead = Verdict.Refused(MessageFault.RepliesNotRead, "the front-end does not read our replies");

    private readonly Requests _requests = new(channel, device);
    private bool _stopping;

    /// <summary>The connection.</summary>
    public MessageChannel Channel => channel;

    /// <summary>Why the connection is broken; done if it is not.</summary>
    public Verdict Problem { get; private set; }

    /// <summary>Told of each message that was not done: what, and why.</summary>
    public Action<RequestCode, Verdict>? Refused { get; init; }

    /// <summary>Handles the messages that are there, at most <paramref name="budget"/>.</summary>
    public SessionState Process(int budget)
    {
        if (_stopping && !StopWhenQuiet())
            return Break(NotRead);
        for (; budget > 0 && !_stopping; budget--)
        {
            switch (channel.TryReceive())
            {
                case ReceiveResult.Incomplete:
                    return SessionState.Open;
                case ReceiveResult.Closed:
                    return SessionState.Closed;
                case ReceiveResult.Violation:
                    return Break(Verdict.Refused(channel.Fault, channel.Violation));
            }
            if (MessageLayout.Validate(channel.Request, channel.Body, channel.FdCount) is { } malformed)
                return Break(malformed);
            if (!Handle())
                return Break(NotRead);
        }
        return SessionState.Open;
    }

    /// <inheritdoc/>
    public void Dispose() => channel.Dispose();

    private SessionState Break(Verdict why)
    {
        Problem = why;
        return SessionState.Broken;
    }

    private bool Handle() => channel.Request switch
    {
        RequestCode.GetFeatures => Reply(device.GetFeatures()),
        RequestCode.GetProtocolFeatures => Reply(device.GetProtocolFeatures()),
        RequestCode.GetQueueNum => Reply(device.GetQueueNum()),
        RequestCode.GetMaxMemorySlots => Reply(GuestMemory.MaxRegions),
        RequestCode.GetStatus => Reply(device.GetStatus()),
        RequestCode.GetVringBase => StopWhenQuiet(),
        RequestCode.GetConfig => DeviceMessages.AnswerConfig(channel, device.GetConfig()),
        RequestCode.GetInflightFd => DeviceMessages.AnswerInflight(channel, device),
        // With the log in shared memory, the front-end waits for the answer: it must not send the log of another time.
        RequestCode.SetLogBase when (_requests.ProtocolFeatures & ProtocolFeatures.LogSharedMemory) != 0 => Answer(_requests.Do()),
        _ => Acknowledge(_requests.Do()),
    };

    /// <summary>Stops the ring if it has come to rest. If not, nothing more is heard until it has.</summary>
    private bool StopWhenQuiet()
    {
        _stopping = !device.IsQuiet(MessageLayout.U32(channel.Body, 0));
        return _stopping || StopVring();
    }

    private bool StopVring()
    {
        uint ring = MessageLayout.U32(channel.Body, 0);
        Tell(device.StopVring(ring, out uint index));
        Span<byte> body = stackalloc byte[MessageLayout.VringStateBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(body, ring);
        BinaryPrimitives.WriteUInt32LittleEndian(body[4..], index);
        return channel.TrySend(channel.Request, body, reply: true);
    }

    private bool Acknowledge(Verdict verdict)
    {
        if (channel.NeedsReply && (_requests.ProtocolFeatures & ProtocolFeatures.ReplyAck) != 0)
            return Answer(verdict);
        Tell(verdict);
        return true;
    }

    private bool Answer(Verdict verdict)
    {
        Tell(verdict);
        return Reply(verdict.Refusal == null ? 0UL : 1UL);
    }

    private void Tell(Verdict verdict)
    {
        if (verdict.Refusal != null)
            Refused?.Invoke(channel.Request, verdict);
    }

    private bool Reply(ulong value)
    {
        Span<byte> body = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(body, value);
        return channel.TrySend(channel.Request, body, reply: true);
    }
}
