using InterGuest.Virtio.Devices;

namespace InterGuest.Virtio.Tests.Devices;

/// <summary>The messages of docs/block-serving.md, by their bytes.</summary>
public class BlockServingTests
{
    private static readonly BlockTag Tag = new(0x04030201, 0x0605, 0x0807, 0x0a09, 0x0c0b, 0x100f0e0d);
    private static readonly byte[] TagBytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

    [Fact]
    public void Section_2_StartBytes()
    {
        byte[] bytes = new byte[BlockServingStart.Bytes];
        new BlockServingStart(0x04030201, 1, 2).Write(bytes);
        Assert.Equal([1, 0, 24, 0, 8, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0], bytes);
        var message = BlockMessage.Parse(bytes);
        Assert.Equal(BlockMessageType.Start, message.Type);
        Assert.True(BlockServingStart.TryParse(message, bytes, out var start));
        Assert.Equal(new BlockServingStart(0x04030201, 1, 2), start);
    }

    [Fact]
    public void Section_2_RequestBytes()
    {
        byte[] bytes = new byte[BlockServingRequest.Bytes];
        var request = new BlockServingRequest(Tag, BlockOperation.Out, BlockServingRequest.Durable, 0x1122334455667788, 8);
        request.Write(bytes);
        Assert.Equal([2, 0, 40, 0, 0, 16, 0, 0, .. TagBytes, 1, 0, 2, 0, 8, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11], bytes);
        Assert.True(BlockServingRequest.TryParse(BlockMessage.Parse(bytes), bytes, out var parsed));
        Assert.Equal(request, parsed);
    }

    [Theory]
    [InlineData(BlockOperation.In)]
    [InlineData(BlockOperation.Flush)]
    [InlineData(BlockOperation.Discard)]
    [InlineData(BlockOperation.WriteZeroes)]
    public void Section_2_OnlyOutHasData(BlockOperation operation)
    {
        byte[] bytes = new byte[BlockServingRequest.Bytes];
        new BlockServingRequest(Tag, operation, 0, 0, 8).Write(bytes);
        Assert.Equal(0u, BlockMessage.Parse(bytes).DataBytes);
    }

    [Fact]
    public void Section_2_OutWithOtherDataThanItsSectorsIsRefused()
    {
        byte[] bytes = new byte[BlockServingRequest.Bytes];
        new BlockServingRequest(Tag, BlockOperation.Out, 0, 0, 8).Write(bytes);
        Assert.False(BlockServingRequest.TryParse(BlockMessage.Parse(bytes) with { DataBytes = 4095 }, bytes, out _));
    }

    [Fact]
    public void Section_2_ReplyBytes()
    {
        byte[] bytes = new byte[BlockServingReply.Bytes];
        var reply = new BlockServingReply(Tag, (uint)BlockStatus.IoError, 512);
        reply.Write(bytes);
        Assert.Equal([4, 0, 28, 0, 0, 2, 0, 0, .. TagBytes, 1, 0, 0, 0], bytes);
        Assert.True(BlockServingReply.TryParse(BlockMessage.Parse(bytes), bytes, out var parsed));
        Assert.Equal(reply, parsed);
    }

    [Theory]
    [InlineData(0u, true)]
    [InlineData(2u, true)]
    [InlineData(3u, false)]
    [InlineData(0x100u, false)]
    public void Section_7_StatusOutOfRangeIsSeen(uint status, bool valid) =>
        Assert.Equal(valid, new BlockServingReply(Tag, status, 0).HasValidStatus);

    [Theory]
    [InlineData(0)]
    [InlineData(27)]
    public void Section_7_AReplyWithAHeaderTooShortIsRefused(ushort header)
    {
        byte[] bytes = new byte[BlockServingReply.Bytes];
        new BlockServingReply(Tag, 0, 0).Write(bytes);
        Assert.False(BlockServingReply.TryParse(BlockMessage.Parse(bytes) with { HeaderBytes = header }, bytes, out _));
    }

    [Fact]
    public void Section_8_LongerHeadersAreSkipped()
    {
        byte[] bytes = new byte[BlockServingStart.Bytes + 4];
        new BlockServingStart(7, 1, 1).Write(bytes);
        bytes[2] = 28;
        (bytes[24], bytes[26]) = (99, 99);
        (bytes[28], bytes[30]) = (1, 3);
        Assert.True(BlockServingStart.TryParse(BlockMessage.Parse(bytes), bytes, out var start));
        Assert.Equal(new BlockServingStart(7, 1, 3), start);
    }

    [Fact]
    public void Spec_5_2_6_RequestAndRangeBytes()
    {
        byte[] bytes = new byte[16];
        new BlockRequest(BlockOperation.WriteZeroes, 0x0102).Write(bytes);
        Assert.Equal([13, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0], bytes);
        Assert.Equal(new BlockRequest(BlockOperation.WriteZeroes, 0x0102), BlockRequest.Parse(bytes));
        new BlockRange(3, 4, BlockRange.Unmap).Write(bytes);
        Assert.Equal([3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0], bytes);
        Assert.Equal(new BlockRange(3, 4, 1), BlockRange.Parse(bytes));
    }
}
