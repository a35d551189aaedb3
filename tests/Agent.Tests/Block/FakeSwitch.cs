using InterGuest.Agent.Tests.Fakes;
using InterGuest.Switch.Tests;
using InterGuest.Virtio.Devices;

namespace InterGuest.Agent.Tests.Block;

/// <summary>The switch's side of docs/block-serving.md, as a test plays it, one request at a time or many.</summary>
internal sealed class FakeSwitch(FakeDevice device)
{
    private const int Requests = 0, Replies = 1;

    private uint _generation;

    public uint Epoch { get; private set; }

    /// <summary>Begins an epoch.</summary>
    /// <returns>What is announced.</returns>
    public BlockAnnouncement Start(uint epoch, ushort oldest = 1, ushort newest = 1)
    {
        Epoch = epoch;
        byte[] message = new byte[BlockServingStart.Bytes];
        new BlockServingStart(epoch, oldest, newest).Write(message);
        Put(message);
        return Announcement();
    }

    /// <summary>Waits for an announcement of this epoch; replies before it are forgotten.</summary>
    public BlockAnnouncement Announcement()
    {
        while (true)
        {
            byte[] message = Take();
            var head = BlockMessage.Parse(message);
            if (head.Type != BlockMessageType.Announce || head.Tag.Epoch != Epoch)
                continue;
            var announcement = BlockAnnouncement.TryParse(head, message)!;
            Assert.Null(announcement.Version == 0 ? null : announcement.Problem);
            return announcement;
        }
    }

    /// <summary>Sends a request.</summary>
    /// <returns>Its tag.</returns>
    public BlockTag Send(BlockOperation operation, ulong sector, uint sectors, byte[]? data = null, ushort flags = 0, int extraHeader = 0)
    {
        var tag = new BlockTag(Epoch, 1, 2, 3, 4, ++_generation);
        byte[] message = new byte[BlockServingRequest.Bytes + extraHeader + (data?.Length ?? 0)];
        new BlockServingRequest(tag, operation, flags, sector, sectors).Write(message);
        (BlockMessage.Parse(message) with { HeaderBytes = (ushort)(BlockServingRequest.Bytes + extraHeader), DataBytes = (uint)(data?.Length ?? 0) }).Write(message);
        data?.CopyTo(message, BlockServingRequest.Bytes + extraHeader);
        Put(message);
        return tag;
    }

    /// <summary>Sends a request and waits for its reply.</summary>
    public (BlockStatus Status, byte[] Data) Do(BlockOperation operation, ulong sector, uint sectors, byte[]? data = null, ushort flags = 0)
    {
        var tag = Send(operation, sector, sectors, data, flags);
        var (replied, status, read) = Reply();
        Assert.Equal(tag, replied);
        return (status, read);
    }

    /// <summary>Waits for the next reply.</summary>
    public (BlockTag Tag, BlockStatus Status, byte[] Data) Reply()
    {
        byte[] message = Take();
        var head = BlockMessage.Parse(message);
        Assert.Equal(BlockMessageType.Reply, head.Type);
        Assert.True(BlockServingReply.TryParse(head, message, out var reply));
        Assert.Equal(message.Length, head.HeaderBytes + (int)head.DataBytes);
        return (reply.Tag, (BlockStatus)reply.Status, message[head.HeaderBytes..]);
    }

    /// <summary>Puts any message into a request buffer.</summary>
    public void Put(byte[] message) => Wait.Until(() => device.TryPut(Requests, message), "a request buffer is posted");

    /// <summary>Takes the next message of the server.</summary>
    public byte[] Take()
    {
        byte[]? message = null;
        Wait.Until(() => (message = device.TryTake(Replies)) != null, "the server replies");
        return message!;
    }
}
