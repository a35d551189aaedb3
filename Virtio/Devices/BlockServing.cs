using System.Buffers.Binary;

namespace InterGuest.Virtio.Devices;

/// <summary>Messages between switch and serving driver (docs/block-serving.md, section 2).</summary>
public enum BlockMessageType : ushort
{
    /// <summary>Switch to server: a new epoch begins.</summary>
    Start = 1,

    /// <summary>Switch to server: something to do.</summary>
    Request = 2,

    /// <summary>Server to switch: what is served.</summary>
    Announce = 3,

    /// <summary>Server to switch: how a request ended.</summary>
    Reply = 4,
}

/// <summary>
/// By which a reply finds its request: the server gives it back unchanged. All but the epoch is the switch's own
/// (docs/block-serving.md, section 2).
/// </summary>
/// <param name="Epoch">The server's life, as the switch counts them.</param>
/// <param name="Client">The client device, among those of the server.</param>
/// <param name="Queue">The client's virtqueue.</param>
/// <param name="Head">The request's chain in that queue.</param>
/// <param name="Part">The part of a request that is more than the server takes at once.</param>
/// <param name="Generation">Another one each time the chain comes.</param>
public readonly record struct BlockTag(uint Epoch, ushort Client, ushort Queue, ushort Head, ushort Part, uint Generation)
{
    /// <summary>Of a tag.</summary>
    public const int Bytes = 16;

    /// <summary>Reads a tag.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public static BlockTag Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]),
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]),
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[10..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]));

    /// <summary>Writes the tag.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Epoch);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], Client);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[6..], Queue);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[8..], Head);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[10..], Part);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], Generation);
    }
}

/// <summary>The first bytes of every message between switch and serving driver (docs/block-serving.md, section 2).</summary>
/// <param name="Type">What the message is; any number: it comes from a guest.</param>
/// <param name="HeaderBytes">From the message's first byte to its data.</param>
/// <param name="DataBytes">Behind the header.</param>
/// <param name="Tag">The request's; of START and ANNOUNCE: the epoch alone.</param>
public readonly record struct BlockMessage(BlockMessageType Type, ushort HeaderBytes, uint DataBytes, BlockTag Tag)
{
    /// <summary>Of what all messages have in common.</summary>
    public const int Bytes = 24;

    /// <summary>Reads the head of a message.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public static BlockMessage Parse(ReadOnlySpan<byte> bytes) => new(
        (BlockMessageType)BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
        BlockTag.Parse(bytes[8..]));

    /// <summary>Writes the head.</summary>
    /// <param name="bytes">At least <see cref="Bytes"/>.</param>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)Type);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], HeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], DataBytes);
        Tag.Write(bytes[8..]);
    }
}
