using System.Buffers.Binary;

namespace InterGuest.Virtio.Devices;

/// <summary>START: the switch begins an epoch (docs/block-serving.md, section 2).</summary>
/// <param name="Epoch">The new one.</param>
/// <param name="OldestVersion">Of the protocol, that the switch speaks.</param>
/// <param name="NewestVersion">As well.</param>
public readonly record struct BlockServingStart(uint Epoch, ushort OldestVersion, ushort NewestVersion)
{
    /// <summary>Of the whole message.</summary>
    public const int Bytes = BlockMessage.Bytes + DataBytes;

    /// <summary>The version of the protocol that this code speaks.</summary>
    public const ushort Version = 1;

    private const int DataBytes = 8;

    /// <summary>Reads the message.</summary>
    /// <param name="message">Its head.</param>
    /// <param name="bytes">All of it.</param>
    /// <param name="start">What it says.</param>
    /// <returns>False if it is too short for what it says it is.</returns>
    public static bool TryParse(in BlockMessage message, ReadOnlySpan<byte> bytes, out BlockServingStart start)
    {
        start = default;
        if (message.HeaderBytes < BlockMessage.Bytes || message.DataBytes < 4 || bytes.Length < message.HeaderBytes + 4)
            return false;
        var data = bytes[message.HeaderBytes..];
        start = new BlockServingStart(
            message.Tag.Epoch, BinaryPrimitives.ReadUInt16LittleEndian(data), BinaryPrimitives.ReadUInt16LittleEndian(data[2..]));
        return true;
    }

    /// <summary>Writes the message.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public void Write(Span<byte> bytes)
    {
        new BlockMessage(BlockMessageType.Start, BlockMessage.Bytes, DataBytes, new BlockTag(Epoch, 0, 0, 0, 0, 0)).Write(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[24..], OldestVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[26..], NewestVersion);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], 0);
    }
}

/// <summary>REQUEST: the header of something that the server is to do (docs/block-serving.md, section 2).</summary>
/// <param name="Tag">To be given back with the reply.</param>
/// <param name="Operation">What to do; never GET_ID.</param>
/// <param name="Flags"><see cref="Unmap"/>, <see cref="Durable"/>.</param>
/// <param name="Sector">The first sector.</param>
/// <param name="Sectors">How many.</param>
public readonly record struct BlockServingRequest(BlockTag Tag, BlockOperation Operation, ushort Flags, ulong Sector, uint Sectors)
{
    /// <summary>Of the header.</summary>
    public const int Bytes = 40;

    /// <summary>The sectors of a WRITE_ZEROES may be discarded.</summary>
    public const ushort Unmap = 1;

    /// <summary>Reply when it is on the medium, even with a cache.</summary>
    public const ushort Durable = 2;

    /// <summary>Bytes of the range.</summary>
    public ulong RangeBytes => (ulong)Sectors * BlockRequest.SectorBytes;

    /// <summary>Bytes that are to be written, behind the header.</summary>
    public uint DataBytes => Operation == BlockOperation.Out ? (uint)RangeBytes : 0;

    /// <summary>Reads the header.</summary>
    /// <param name="message">Its head.</param>
    /// <param name="bytes">All of the header.</param>
    /// <param name="request">What it says; what could be read of it.</param>
    /// <returns>False if it is too short, or its data are not what its operation needs.</returns>
    public static bool TryParse(in BlockMessage message, ReadOnlySpan<byte> bytes, out BlockServingRequest request)
    {
        request = default;
        if (message.HeaderBytes < Bytes || bytes.Length < Bytes)
            return false;
        request = new BlockServingRequest(
            message.Tag,
            (BlockOperation)BinaryPrimitives.ReadUInt16LittleEndian(bytes[24..]),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[26..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]));
        return request.Operation != BlockOperation.Out || message.DataBytes == request.RangeBytes;
    }

    /// <summary>Writes the header.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public void Write(Span<byte> bytes)
    {
        new BlockMessage(BlockMessageType.Request, Bytes, DataBytes, Tag).Write(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[24..], (ushort)Operation);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[26..], Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], Sectors);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[32..], Sector);
    }
}

/// <summary>REPLY: the header of how a request ended (docs/block-serving.md, section 2).</summary>
/// <param name="Tag">The request's.</param>
/// <param name="Status">A <see cref="BlockStatus"/>, or any number: it comes from a guest.</param>
/// <param name="DataBytes">What was read, behind the header.</param>
public readonly record struct BlockServingReply(BlockTag Tag, uint Status, uint DataBytes)
{
    /// <summary>Of the header.</summary>
    public const int Bytes = 28;

    /// <summary>Whether the status is one that there is.</summary>
    public bool HasValidStatus => Status <= (uint)BlockStatus.Unsupported;

    /// <summary>Reads the header.</summary>
    /// <param name="message">Its head.</param>
    /// <param name="bytes">All of the header.</param>
    /// <param name="reply">What it says.</param>
    /// <returns>False if it is too short.</returns>
    public static bool TryParse(in BlockMessage message, ReadOnlySpan<byte> bytes, out BlockServingReply reply)
    {
        reply = default;
        if (message.HeaderBytes < Bytes || bytes.Length < Bytes)
            return false;
        reply = new BlockServingReply(message.Tag, BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]), message.DataBytes);
        return true;
    }

    /// <summary>Writes the header.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public void Write(Span<byte> bytes)
    {
        new BlockMessage(BlockMessageType.Reply, Bytes, DataBytes, Tag).Write(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], Status);
    }
}
