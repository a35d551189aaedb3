using InterGuest.Agent.Block;
using InterGuest.Virtio.Devices;

namespace InterGuest.Agent.Nbd;

/// <summary>A disk as NBD has it: bytes and commands, made of requests of a block device.</summary>
internal sealed class NbdDisk(AttachBlockRole disk)
{
    /// <summary>Of the disk, now.</summary>
    public ulong Bytes => disk.Geometry.Bytes;

    /// <summary>Of which requests have whole ones.</summary>
    public uint BlockBytes => disk.Geometry.BlockBytes;

    /// <summary>The transmission flags.</summary>
    public ushort Flags
    {
        get
        {
            var geometry = disk.Geometry;
            int flags = NbdProtocol.HasFlags | NbdProtocol.SendFlush | NbdProtocol.CanMultiConnect;
            if (geometry.Has(Features.BlockReadOnly))
                return (ushort)(flags | NbdProtocol.ReadOnly);
            flags |= NbdProtocol.SendFua;
            flags |= geometry.Has(Features.BlockDiscard) ? NbdProtocol.SendTrim : 0;
            flags |= geometry.Has(Features.BlockWriteZeroes) ? NbdProtocol.SendWriteZeroes : 0;
            return (ushort)flags;
        }
    }

    /// <summary>Does a command.</summary>
    /// <param name="command">READ, WRITE, FLUSH, TRIM or WRITE_ZEROES.</param>
    /// <param name="flags">Its flags.</param>
    /// <param name="offset">In bytes.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="data">What to write; room for what is read.</param>
    /// <returns>An NBD error; 0: none.</returns>
    public async Task<uint> DoAsync(ushort command, ushort flags, ulong offset, uint length, Memory<byte> data)
    {
        var geometry = disk.Geometry;
        if (command == NbdProtocol.Flush)
            return await FlushAsync(geometry);
        if (OperationOf(command) is not { } operation)
            return NbdProtocol.EINVAL;
        if (operation != BlockOperation.In && geometry.Has(Features.BlockReadOnly))
            return NbdProtocol.EPERM;
        if (offset > geometry.Bytes || length > geometry.Bytes - offset)
            return operation == BlockOperation.In ? NbdProtocol.EINVAL : NbdProtocol.ENOSPC;
        if ((operation == BlockOperation.Discard && !geometry.Has(Features.BlockDiscard)) || (operation == BlockOperation.WriteZeroes && !geometry.Has(Features.BlockWriteZeroes)))
            return NbdProtocol.ENOTSUP;
        if (offset % geometry.BlockBytes != 0 || length % geometry.BlockBytes != 0)
            return NbdProtocol.EINVAL;
        bool unmap = operation == BlockOperation.WriteZeroes && (flags & NbdProtocol.NoHole) == 0;
        uint error = await InPiecesAsync(operation, offset, length, MostBytes(operation, geometry), data, unmap);
        return error == 0 && (flags & NbdProtocol.Fua) != 0 && operation != BlockOperation.In ? await FlushAsync(geometry) : error;
    }

    private static BlockOperation? OperationOf(ushort command) => command switch
    {
        NbdProtocol.Read => BlockOperation.In,
        NbdProtocol.Write => BlockOperation.Out,
        NbdProtocol.Trim => BlockOperation.Discard,
        NbdProtocol.WriteZeroes => BlockOperation.WriteZeroes,
        _ => null,
    };

    private static ulong MostBytes(BlockOperation operation, in BlockGeometry geometry)
    {
        ulong most = operation switch
        {
            BlockOperation.Discard => (ulong)geometry.MaxDiscard * BlockRequest.SectorBytes,
            BlockOperation.WriteZeroes => (ulong)geometry.MaxWriteZeroes * BlockRequest.SectorBytes,
            _ => AttachBlockRole.MaxData,
        };
        return Math.Max(geometry.BlockBytes, most / geometry.BlockBytes * geometry.BlockBytes);
    }

    private async Task<uint> InPiecesAsync(BlockOperation operation, ulong offset, uint length, ulong most, Memory<byte> data, bool unmap)
    {
        var pieces = new List<Task<BlockStatus>>();
        for (uint done = 0; done < length;)
        {
            uint bytes = (uint)Math.Min(length - done, most);
            var part = data.IsEmpty ? data : data.Slice((int)done, (int)bytes);
            pieces.Add(disk.DoAsync(new BlockOrder(operation, (offset + done) / BlockRequest.SectorBytes, bytes / BlockRequest.SectorBytes, part, unmap)));
            done += bytes;
        }
        var statuses = await Task.WhenAll(pieces);
        return statuses.Select(Error).FirstOrDefault(e => e != 0);
    }

    /// <summary>A disk without a cache has nothing to flush: what it said is written is on the medium.</summary>
    private async Task<uint> FlushAsync(BlockGeometry geometry) => geometry.Has(Features.BlockFlush)
        ? Error(await disk.DoAsync(new BlockOrder(BlockOperation.Flush, 0, 0, default)))
        : 0;

    private static uint Error(BlockStatus status) => status switch
    {
        BlockStatus.Ok => 0,
        BlockStatus.Unsupported => NbdProtocol.ENOTSUP,
        _ => NbdProtocol.EIO,
    };
}
