using System.Buffers;
using System.Buffers.Binary;

namespace InterGuest.Agent.Nbd;

/// <summary>One client of an export, after the handshake: requests come one after the other, replies as they are done.</summary>
internal sealed class NbdConnection(Stream stream, NbdDisk disk) : IDisposable
{
    private const int MostInFlight = 64;

    private readonly SemaphoreSlim _writing = new(1);
    private readonly SemaphoreSlim _room = new(MostInFlight);

    /// <summary>Serves it until it leaves.</summary>
    /// <exception cref="IOException">It broke the connection, or the protocol.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        byte[] header = new byte[NbdProtocol.RequestBytes];
        try
        {
            while (await stream.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, cancel) == header.Length)
            {
                var request = Request.Parse(header);
                if (request.Command == NbdProtocol.Disconnect)
                    return;
                await _room.WaitAsync(cancel);
                byte[] data = await ReadDataAsync(request, cancel);
                _ = ServeAsync(request, data);
            }
        }
        finally
        {
            // What is under way still uses the stream.
            for (int i = 0; i < MostInFlight; i++)
                await _room.WaitAsync(CancellationToken.None);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _writing.Dispose();
        _room.Dispose();
    }

    private async Task<byte[]> ReadDataAsync(Request request, CancellationToken cancel)
    {
        try
        {
            bool hasData = request.Command is NbdProtocol.Read or NbdProtocol.Write;
            if (hasData && request.Length > NbdProtocol.MaxPayload && request.Command == NbdProtocol.Write)
                throw new InvalidDataException($"a write of {request.Length} bytes, more than {NbdProtocol.MaxPayload}");
            byte[] data = hasData && request.Length <= NbdProtocol.MaxPayload ? ArrayPool<byte>.Shared.Rent((int)request.Length) : [];
            if (request.Command == NbdProtocol.Write)
                await stream.ReadExactlyAsync(data.AsMemory(0, (int)request.Length), cancel);
            return data;
        }
        catch
        {
            _room.Release();
            throw;
        }
    }

    private async Task ServeAsync(Request request, byte[] data)
    {
        try
        {
            bool tooLong = request.Command == NbdProtocol.Read && request.Length > NbdProtocol.MaxPayload;
            var used = data.AsMemory(0, data.Length == 0 ? 0 : (int)request.Length);
            uint error = tooLong ? NbdProtocol.EINVAL : await disk.DoAsync(request.Command, request.Flags, request.Offset, request.Length, used);
            await ReplyAsync(request.Cookie, error, request.Command == NbdProtocol.Read && error == 0 ? used : default);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The client is gone; the loop that reads from it says so.
        }
        finally
        {
            if (data.Length > 0)
                ArrayPool<byte>.Shared.Return(data);
            _room.Release();
        }
    }

    private async Task ReplyAsync(ulong cookie, uint error, ReadOnlyMemory<byte> data)
    {
        byte[] header = new byte[NbdProtocol.ReplyBytes];
        BinaryPrimitives.WriteUInt32BigEndian(header, NbdProtocol.ReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), error);
        BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(8), cookie);
        await _writing.WaitAsync();
        try
        {
            await stream.WriteAsync(header);
            if (!data.IsEmpty)
                await stream.WriteAsync(data);
        }
        finally
        {
            _writing.Release();
        }
    }

    private readonly record struct Request(ushort Flags, ushort Command, ulong Cookie, ulong Offset, uint Length)
    {
        public static Request Parse(ReadOnlySpan<byte> bytes)
        {
            uint magic = BinaryPrimitives.ReadUInt32BigEndian(bytes);
            if (magic != NbdProtocol.RequestMagic)
                throw new InvalidDataException($"a request that begins with 0x{magic:x8}");
            return new Request(
                BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]), BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
                BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]), BinaryPrimitives.ReadUInt32BigEndian(bytes[24..]));
        }
    }
}
