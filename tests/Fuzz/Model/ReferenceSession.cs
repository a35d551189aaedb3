using System.Buffers.Binary;

namespace InterGuest.Fuzz.Model;

/// <summary>What a message must bring about.</summary>
internal enum Outcome
{
    /// <summary>It is done or refused, without a word.</summary>
    Silence,

    /// <summary>A reply with a u64 or two u32: a value that was asked for.</summary>
    Value,

    /// <summary>A reply with 0 or 1: done or refused.</summary>
    Acknowledgement,

    /// <summary>A reply without a body: there is no configuration space.</summary>
    Nothing,

    /// <summary>A reply with an inflight description of a region of no bytes: network rings have none.</summary>
    NoInflight,

    /// <summary>The back-end ends the connection.</summary>
    End,
}

/// <summary>A message as it goes over the socket.</summary>
/// <param name="Request">Its code.</param>
/// <param name="Flags">Version and bits.</param>
/// <param name="Size">What it says of its body's size.</param>
/// <param name="Body">Its body.</param>
/// <param name="Fds">How many descriptors come with it.</param>
internal sealed record RawMessage(uint Request, uint Flags, uint Size, byte[] Body, int Fds);

/// <summary>
/// What a back-end answers, message by message, written down from the vhost-user specification ("Communication",
/// "Front-end message types", REPLY_ACK) and from the limits that the switch sets: bodies of 4096 bytes, 32 descriptors.
/// </summary>
/// <param name="offeredProtocol">The protocol features that the back-end offers.</param>
internal sealed class ReferenceSession(ulong offeredProtocol)
{
    private const uint LogSharedMemory = 1 << 1, ReplyAck = 1 << 3;
    private const uint SetLogBase = 6, GetConfig = 24, GetInflight = 31;
    private const int ConfigHead = 12, MaxConfig = 256;
    private const int MaxBody = 4096, MaxFds = 32, MaxRegions = 8;

    private bool _acknowledges;
    private bool _logs;

    /// <summary>Requests whose form the model knows, with the size of their bodies (-1: it depends) and of their descriptors (-1: any).</summary>
    private static readonly Dictionary<uint, (int Size, int Fds, bool HasValue)> Requests = new()
    {
        [1] = (0, 0, true), [2] = (8, 0, false), [3] = (0, 0, false), [4] = (0, 0, false), [5] = (-1, -1, false),
        [SetLogBase] = (16, 1, false), [7] = (0, 1, false), [19] = (8, 0, false), [20] = (8, 0, false), [34] = (0, 0, false),
        [GetConfig] = (-1, 0, false), [25] = (-1, 0, false), [GetInflight] = (24, 0, false), [32] = (24, 1, false),
        [8] = (8, 0, false), [9] = (40, 0, false), [10] = (8, 0, false), [11] = (8, 0, true), [12] = (8, -1, false), [13] = (8, -1, false),
        [14] = (8, -1, false), [15] = (0, 0, true), [16] = (8, 0, false), [17] = (0, 0, true), [18] = (8, 0, false), [21] = (0, 1, false),
        [36] = (0, 0, true), [37] = (40, 1, false), [38] = (40, -1, false), [39] = (8, 0, false), [40] = (0, 0, true),
    };

    /// <summary>Codes that the model knows.</summary>
    public static IReadOnlyList<uint> Known { get; } = [.. Requests.Keys.Order()];

    /// <summary>What must come of a message; a connection that has ended stays so.</summary>
    public Outcome Next(RawMessage message)
    {
        if ((message.Flags & 3) != 1 || message.Size > MaxBody || message.Fds > MaxFds)
            return Outcome.End;
        bool known = Requests.TryGetValue(message.Request, out var request);
        if (known && !IsWellFormed(message, request.Size, request.Fds))
            return Outcome.End;
        if (message.Request == 16 && (Value(message) & ~offeredProtocol) == 0)
            (_acknowledges, _logs) = ((Value(message) & ReplyAck) != 0, (Value(message) & LogSharedMemory) != 0);
        if (known && request.HasValue)
            return Outcome.Value;
        if (message.Request is GetConfig or GetInflight)
            return message.Request == GetConfig ? Outcome.Nothing : Outcome.NoInflight;
        // The front-end waits for this one in any case.
        if (message.Request == SetLogBase && _logs)
            return Outcome.Acknowledgement;
        return _acknowledges && (message.Flags & 8) != 0 ? Outcome.Acknowledgement : Outcome.Silence;
    }

    private static bool IsWellFormed(RawMessage message, int size, int fds)
    {
        if (message.Request == 5)
            return IsTable(message);
        if (message.Request is GetConfig or 25)
            size = ConfigHead + (message.Size < ConfigHead ? 0 : (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(message.Body.AsSpan(4)), MaxConfig));
        if (message.Size != size)
            return false;
        if (message.Request is 12 or 13 or 14)
            fds = (Value(message) & 0x100) != 0 ? 0 : 1;
        return fds < 0 || message.Fds == fds;
    }

    private static bool IsTable(RawMessage message)
    {
        if (message.Size < 8)
            return false;
        // Of a table with more regions than there may be, so many are expected, and it is refused as a whole.
        uint regions = Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(message.Body), MaxRegions);
        return message.Size == 8 + 32 * regions && message.Fds == (int)regions;
    }

    private static ulong Value(RawMessage message) => BinaryPrimitives.ReadUInt64LittleEndian(message.Body);
}
