using System.Buffers.Binary;

namespace InterGuest.Virtio.VhostUser;

/// <summary>
/// The messages about a device's configuration space, and about its inflight region (vhost-user, "Virtio device config
/// space" and "Inflight description"): what a device type may have and others have not.
/// </summary>
internal static class DeviceMessages
{
    /// <summary>Offset, size, flags; then the bytes.</summary>
    internal const int ConfigHeadBytes = 12;

    /// <summary>VHOST_USER_MAX_CONFIG_SIZE.</summary>
    internal const int MaxConfigBytes = 256;

    /// <summary>Size and offset of the region, number and size of the queues, padding.</summary>
    internal const int InflightBytes = 24;

    /// <summary>How long the body of GET_CONFIG or SET_CONFIG is.</summary>
    internal static int ConfigShape(ReadOnlySpan<byte> body) =>
        ConfigHeadBytes + (body.Length >= ConfigHeadBytes ? (int)Math.Min(MessageLayout.U32(body, 4), MaxConfigBytes) : 0);

    /// <summary>Answers GET_CONFIG: the bytes asked for, zeros behind the end of the space; nothing, if there is no space.</summary>
    internal static bool AnswerConfig(MessageChannel channel, byte[]? config)
    {
        uint offset = MessageLayout.U32(channel.Body, 0);
        if (config == null || offset > MaxConfigBytes)
            return channel.TrySend(channel.Request, [], reply: true);
        byte[] body = channel.Body.ToArray();
        var bytes = body.AsSpan(ConfigHeadBytes);
        bytes.Clear();
        if (offset < config.Length)
            config.AsSpan((int)offset, (int)Math.Min(bytes.Length, config.Length - offset)).CopyTo(bytes);
        return channel.TrySend(channel.Request, body, reply: true);
    }

    /// <summary>Does SET_CONFIG.</summary>
    internal static Verdict SetConfig(MessageChannel channel, IBackEnd device) =>
        device.SetConfig(MessageLayout.U32(channel.Body, 0), channel.Body[ConfigHeadBytes..]);

    /// <summary>Answers GET_INFLIGHT_FD.</summary>
    internal static bool AnswerInflight(MessageChannel channel, IBackEnd device)
    {
        var (queues, size) = InflightQueues(channel.Body);
        Span<byte> body = stackalloc byte[InflightBytes];
        body.Clear();
        if (queues == 0 || size is 0 or > Queues.DeviceQueue.MaxSize || device.GetInflight(queues, size) is not { } region)
            return channel.TrySend(channel.Request, body, reply: true);
        BinaryPrimitives.WriteUInt64LittleEndian(body, Queues.InflightRegion.Bytes(queues, size));
        channel.Body[16..20].CopyTo(body[16..]);
        return channel.TrySend(channel.Request, body, reply: true, fds: region.File);
    }

    /// <summary>Does SET_INFLIGHT_FD.</summary>
    internal static Verdict SetInflight(MessageChannel channel, IBackEnd device)
    {
        var (queues, size) = InflightQueues(channel.Body);
        var file = channel.TakeFd();
        if (queues != 0 && size is not 0 and <= Queues.DeviceQueue.MaxSize)
            return device.SetInflight(file, MessageLayout.U64(channel.Body), MessageLayout.U64(channel.Body, 8), queues, size);
        file.Dispose();
        return Verdict.Refused(MessageFault.WrongInflight, $"an inflight region of {queues} queues with {size} entries");
    }

    private static (int Queues, int Size) InflightQueues(ReadOnlySpan<byte> body) =>
        (BinaryPrimitives.ReadUInt16LittleEndian(body[16..]), BinaryPrimitives.ReadUInt16LittleEndian(body[18..]));
}
