using System.Buffers.Binary;
using System.Text;

namespace InterGuest.Agent.Nbd;

/// <summary>The fixed newstyle handshake of a server with one export, which has no name.</summary>
internal sealed class NbdHandshake(Stream stream, NbdDisk disk)
{
    private const int HeadBytes = 18, OptionHeadBytes = 16, ZeroBytes = 124;

    /// <summary>Shakes hands.</summary>
    /// <returns>False if the client leaves without using the export.</returns>
    /// <exception cref="IOException">The client is gone.</exception>
    /// <exception cref="InvalidDataException">It does not speak the protocol.</exception>
    public async Task<bool> RunAsync(CancellationToken cancel)
    {
        byte[] head = new byte[HeadBytes];
        BinaryPrimitives.WriteUInt64BigEndian(head, NbdProtocol.Magic);
        BinaryPrimitives.WriteUInt64BigEndian(head.AsSpan(8), NbdProtocol.OptionMagic);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(16), NbdProtocol.FixedNewstyle | NbdProtocol.NoZeroes);
        await stream.WriteAsync(head, cancel);
        byte[] flags = new byte[sizeof(uint)];
        await stream.ReadExactlyAsync(flags, cancel);
        bool zeroes = (BinaryPrimitives.ReadUInt32BigEndian(flags) & NbdProtocol.NoZeroes) == 0;
        while (true)
        {
            var (option, data) = await ReadOptionAsync(cancel);
            switch (option)
            {
                case NbdProtocol.ExportName:
                    if (data.Length > 0)
                        return false; // there is no other answer to an export that there is not
                    await stream.WriteAsync(Export(zeroes), cancel);
                    return true;
                case NbdProtocol.Abort:
                    await ReplyAsync(option, NbdProtocol.Acknowledged, [], cancel);
                    return false;
                case NbdProtocol.List:
                    await ReplyAsync(option, NbdProtocol.Server, new byte[sizeof(uint)], cancel);
                    await ReplyAsync(option, NbdProtocol.Acknowledged, [], cancel);
                    break;
                case NbdProtocol.Info or NbdProtocol.Go:
                    if (await InformAsync(option, data, cancel) && option == NbdProtocol.Go)
                        return true;
                    break;
                default:
                    await ReplyAsync(option, NbdProtocol.Unsupported, [], cancel);
                    break;
            }
        }
    }

    private async Task<(uint Option, byte[] Data)> ReadOptionAsync(CancellationToken cancel)
    {
        byte[] head = new byte[OptionHeadBytes];
        await stream.ReadExactlyAsync(head, cancel);
        ulong magic = BinaryPrimitives.ReadUInt64BigEndian(head);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12));
        if (magic != NbdProtocol.OptionMagic || length > NbdProtocol.MaxOption)
            throw new InvalidDataException($"an option that begins with 0x{magic:x16} and has {length} bytes");
        byte[] data = new byte[length];
        await stream.ReadExactlyAsync(data, cancel);
        return (BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(8)), data);
    }

    /// <summary>Says what the export is (NBD_OPT_INFO, NBD_OPT_GO).</summary>
    /// <returns>Whether it is the export that was asked for.</returns>
    private async Task<bool> InformAsync(uint option, byte[] data, CancellationToken cancel)
    {
        uint nameBytes = data.Length >= sizeof(uint) ? BinaryPrimitives.ReadUInt32BigEndian(data) : uint.MaxValue;
        if (nameBytes > data.Length - sizeof(uint))
        {
            await ReplyAsync(option, NbdProtocol.Invalid, [], cancel);
            return false;
        }
        if (nameBytes > 0)
        {
            await ReplyAsync(option, NbdProtocol.Unknown, Encoding.UTF8.GetBytes("there is one export, and it has no name"), cancel);
            return false;
        }
        byte[] export = new byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(export, NbdProtocol.InfoExport);
        Export(false).CopyTo(export, 2);
        await ReplyAsync(option, NbdProtocol.InfoReply, export, cancel);
        byte[] sizes = new byte[14];
        BinaryPrimitives.WriteUInt16BigEndian(sizes, NbdProtocol.InfoBlockSize);
        BinaryPrimitives.WriteUInt32BigEndian(sizes.AsSpan(2), disk.BlockBytes);
        BinaryPrimitives.WriteUInt32BigEndian(sizes.AsSpan(6), Math.Max(disk.BlockBytes, Block.Disk.PageBytes));
        BinaryPrimitives.WriteUInt32BigEndian(sizes.AsSpan(10), NbdProtocol.MaxPayload);
        await ReplyAsync(option, NbdProtocol.InfoReply, sizes, cancel);
        await ReplyAsync(option, NbdProtocol.Acknowledged, [], cancel);
        return true;
    }

    private byte[] Export(bool zeroes)
    {
        byte[] export = new byte[10 + (zeroes ? ZeroBytes : 0)];
        BinaryPrimitives.WriteUInt64BigEndian(export, disk.Bytes);
        BinaryPrimitives.WriteUInt16BigEndian(export.AsSpan(8), disk.Flags);
        return export;
    }

    private async Task ReplyAsync(uint option, uint kind, byte[] data, CancellationToken cancel)
    {
        byte[] reply = new byte[20 + data.Length];
        BinaryPrimitives.WriteUInt64BigEndian(reply, NbdProtocol.OptionReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(12), kind);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(16), (uint)data.Length);
        data.CopyTo(reply, 20);
        await stream.WriteAsync(reply, cancel);
    }
}
