using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Block;

/// <summary>A guest that serves a disk in its memory, message by message, as a test tells it.</summary>
internal sealed class DiskServer : IDisposable
{
    public const int Sectors = 2048;

    public static readonly BlockAnnouncement Plain = new() { Capacity = Sectors, MaxData = 65536, Id = "test-disk" };

    public DiskServer(string socket, BlockAnnouncement? disk = null, int buffers = 16)
    {
        Announced = disk ?? Plain;
        Guest = TestGuest.Run(socket, new()
        {
            MemoryBytes = 64 << 20, QueueSize = 64, ReceiveBuffers = buffers, ReceiveBufferBytes = BlockServingRequest.Bytes + Announced.MaxData,
        });
    }

    public TestGuest Guest { get; }

    public BlockAnnouncement Announced { get; set; }

    public uint Epoch { get; private set; }

    public byte[] Medium { get; init; } = new byte[Sectors * 512];

    /// <summary>Waits for START and announces.</summary>
    public DiskServer Begin()
    {
        var start = AwaitStart();
        Announce(start.Epoch);
        return this;
    }

    public BlockServingStart AwaitStart()
    {
        byte[] bytes = Guest.Receive().NextBytes();
        Assert.True(BlockServingStart.TryParse(BlockMessage.Parse(bytes), bytes, out var start), "no START");
        Assert.Equal(BlockMessageType.Start, BlockMessage.Parse(bytes).Type);
        Epoch = start.Epoch;
        return start;
    }

    public void Announce(uint epoch) => Announce(epoch, Announced);

    public void Announce(uint epoch, BlockAnnouncement disk)
    {
        byte[] bytes = new byte[BlockAnnouncement.Bytes];
        disk.Write(bytes, epoch);
        Send(bytes);
    }

    /// <summary>Waits for the next request.</summary>
    public (BlockServingRequest Request, byte[] Data) Next()
    {
        byte[] bytes = Guest.Receive().NextBytes();
        var message = BlockMessage.Parse(bytes);
        Assert.Equal((BlockMessageType.Request, Epoch), (message.Type, message.Tag.Epoch));
        Assert.True(BlockServingRequest.TryParse(message, bytes, out var request));
        Assert.Equal(message.HeaderBytes + message.DataBytes, (uint)bytes.Length);
        return (request, bytes[message.HeaderBytes..]);
    }

    /// <summary>Does what a request asks for, as a server should.</summary>
    public void Do(BlockServingRequest request, byte[] data)
    {
        int at = (int)request.Sector * 512, length = (int)request.RangeBytes;
        switch (request.Operation)
        {
            case BlockOperation.In:
                Reply(request.Tag, 0, Medium.AsSpan(at, length));
                return;
            case BlockOperation.Out:
                data.CopyTo(Medium, at);
                break;
            case BlockOperation.WriteZeroes or BlockOperation.Discard:
                Medium.AsSpan(at, length).Clear();
                break;
        }
        Reply(request.Tag, 0, []);
    }

    /// <summary>Serves so many requests.</summary>
    public void Serve(int count)
    {
        for (int i = 0; i < count; i++)
        {
            var (request, data) = Next();
            Do(request, data);
        }
    }

    public void Reply(BlockTag tag, uint status, ReadOnlySpan<byte> data)
    {
        byte[] bytes = new byte[BlockServingReply.Bytes + data.Length];
        new BlockServingReply(tag, status, (uint)data.Length).Write(bytes);
        data.CopyTo(bytes.AsSpan(BlockServingReply.Bytes));
        Send(bytes);
    }

    /// <summary>Sends a message and waits until the switch has heard it.</summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        Guest.Transmit().Submit(bytes, 0);
        Assert.Equal(0u, Guest.Transmit().NextCompletion().Written);
    }

    public void Dispose() => Guest.Dispose();
}
