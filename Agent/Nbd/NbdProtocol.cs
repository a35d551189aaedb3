namespace InterGuest.Agent.Nbd;

/// <summary>Numbers of the NBD protocol (doc/proto.md of the Network Block Device project). All of it is big-endian.</summary>
internal static class NbdProtocol
{
    /// <summary>"NBDMAGIC", and "IHAVEOPT" of the newstyle handshake and its options.</summary>
    public const ulong Magic = 0x4e42444d41474943, OptionMagic = 0x49484156454f5054, OptionReplyMagic = 0x3e889045565a9;

    /// <summary>Of requests and simple replies.</summary>
    public const uint RequestMagic = 0x25609513, ReplyMagic = 0x67446698;

    /// <summary>Handshake flags: fixed newstyle, and no 124 zeros behind an export.</summary>
    public const ushort FixedNewstyle = 1, NoZeroes = 2;

    /// <summary>Options.</summary>
    public const uint ExportName = 1, Abort = 2, List = 3, Info = 6, Go = 7;

    /// <summary>Replies to options.</summary>
    public const uint Acknowledged = 1, Server = 2, InfoReply = 3, Unsupported = 0x8000_0001, Invalid = 0x8000_0003, Unknown = 0x8000_0006, TooBig = 0x8000_0009;

    /// <summary>Kinds of information.</summary>
    public const ushort InfoExport = 0, InfoBlockSize = 3;

    /// <summary>Transmission flags.</summary>
    public const ushort HasFlags = 1, ReadOnly = 2, SendFlush = 4, SendFua = 8, SendTrim = 32, SendWriteZeroes = 64, CanMultiConnect = 256;

    /// <summary>Commands.</summary>
    public const ushort Read = 0, Write = 1, Disconnect = 2, Flush = 3, Trim = 4, WriteZeroes = 6;

    /// <summary>Command flags: on the medium before the reply; keep the room of zeroes.</summary>
    public const ushort Fua = 1, NoHole = 2;

    /// <summary>Errors.</summary>
    public const uint EPERM = 1, EIO = 5, EINVAL = 22, ENOSPC = 28, ENOTSUP = 95;

    /// <summary>Most bytes of a read or a write.</summary>
    public const uint MaxPayload = 32 << 20;

    /// <summary>Most bytes of an option's data.</summary>
    public const uint MaxOption = 8192;

    /// <summary>Bytes of a request, and of a simple reply.</summary>
    public const int RequestBytes = 28, ReplyBytes = 16;
}
