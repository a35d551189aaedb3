using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Block;

/// <summary>A guest with a disk of two queues.</summary>
internal sealed class DiskClient(string socket, ulong features = TestGuest.PlainFeatures) : IDisposable
{
    public TestGuest Guest { get; } = TestGuest.Run(socket, new() { Features = features, MemoryBytes = 64 << 20, ReceiveBuffers = 0 });

    /// <summary>One of the two queues: they are alike.</summary>
    public TestQueue Queue(int index = 0) => index == 0 ? Guest.Receive() : Guest.Transmit();

    public int Read(ulong sector, int bytes, int queue = 0) => Submit(BlockOperation.In, sector, [], bytes + 1, queue);

    public int Write(ulong sector, byte[] data, int queue = 0) => Submit(BlockOperation.Out, sector, data, 1, queue);

    public int Flush() => Submit(BlockOperation.Flush, 0, [], 1);

    public int Ranges(BlockOperation operation, params BlockRange[] ranges)
    {
        byte[] data = new byte[ranges.Length * BlockRange.Bytes];
        for (int i = 0; i < ranges.Length; i++)
            ranges[i].Write(data.AsSpan(i * BlockRange.Bytes));
        return Submit(operation, 0, data, 1);
    }

    public int Submit(BlockOperation operation, ulong sector, byte[] data, int writable, int queue = 0)
    {
        byte[] header = new byte[BlockRequest.Bytes];
        new BlockRequest(operation, sector).Write(header);
        return Queue(queue).Submit([.. header, .. data], writable);
    }

    /// <summary>Waits for a request to end; all that it had room for must be written.</summary>
    public (BlockStatus Status, byte[] Data) End(int token, int queue = 0)
    {
        var (ended, written, room) = Queue(queue).NextCompletion();
        Assert.Equal(token, ended);
        Assert.Equal(room.Length, (int)written);
        return ((BlockStatus)room[^1], room[..^1]);
    }

    public void Ends(BlockStatus status, int token, int queue = 0) => Assert.Equal(status, End(token, queue).Status);

    public void Dispose() => Guest.Dispose();
}
