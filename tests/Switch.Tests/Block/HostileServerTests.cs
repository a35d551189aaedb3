using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Block;

/// <summary>What a server may do wrong (docs/block-serving.md, section 7): each has its counter, and costs its client an error at most.</summary>
public sealed class HostileServerTests : IDisposable
{
    private readonly BlockRig _rig = new();
    private readonly DiskServer _server;
    private readonly DiskClient _client;

    public HostileServerTests() => (_server, _client) = _rig.Run();

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
        _rig.Dispose();
    }

    [Fact]
    public void ATagThatNamesNothingTouchesNobody()
    {
        int read = _client.Read(0, 512);
        var tag = _server.Next().Request.Tag;
        BlockTag[] wrong =
        [
            tag with { Client = 9999 }, tag with { Queue = 1 }, tag with { Queue = 77 }, tag with { Head = (ushort)(tag.Head + 1) },
            tag with { Head = 60000 }, tag with { Part = 1 }, tag with { Part = 65535 }, tag with { Generation = tag.Generation + 1 },
        ];
        foreach (var foreign in wrong)
            _server.Reply(foreign, 0, new byte[512]);
        Assert.Equal((ulong)wrong.Length, _rig.Faults("store", "unknown_tag"));
        Assert.False(_client.Queue().HasUsed);
        _server.Reply(tag, 0, RequestTests.Pattern(512, 5));
        Assert.Equal(RequestTests.Pattern(512, 5), _client.End(read).Data);
        _server.Reply(tag, 0, new byte[512]); // again
        Assert.Equal((ulong)wrong.Length + 1, _rig.Faults("store", "unknown_tag"));
        AssertServed();
    }

    [Fact]
    public void AReplyOfAnotherEpochIsIgnored()
    {
        int read = _client.Read(0, 512);
        var tag = _server.Next().Request.Tag;
        _server.Reply(tag with { Epoch = tag.Epoch - 1 }, 0, new byte[512]);
        Assert.Equal(1ul, _rig.Faults("store", "stale_epoch"));
        _server.Reply(tag, 0, new byte[512]);
        _client.Ends(BlockStatus.Ok, read);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(511)]
    public void AShortReplyIsAnErrorAndNoStaleBytes(int bytes)
    {
        int read = _client.Read(0, 512);
        _server.Reply(_server.Next().Request.Tag, 0, RequestTests.Pattern(bytes, 7));
        var (status, data) = _client.End(read);
        Assert.Equal(BlockStatus.IoError, status);
        Assert.All(data, b => Assert.Equal(0, b));
        Assert.Equal(1ul, _rig.Faults("store", "short_reply"));
        AssertServed();
    }

    [Fact]
    public void ALongReplyIsCut()
    {
        int read = _client.Read(0, 512);
        _server.Reply(_server.Next().Request.Tag, 0, RequestTests.Pattern(4096, 7));
        Assert.Equal(RequestTests.Pattern(512, 7), _client.End(read).Data);
        Assert.Equal(1ul, _rig.Faults("store", "long_reply"));
        AssertServed();
    }

    [Theory]
    [InlineData(3u)]
    [InlineData(0x100u)]
    [InlineData(uint.MaxValue)]
    public void AStatusThatThereIsNotIsAnError(uint status)
    {
        int write = _client.Write(0, new byte[512]);
        _server.Reply(_server.Next().Request.Tag, status, []);
        _client.Ends(BlockStatus.IoError, write);
        Assert.Equal(1ul, _rig.Faults("store", "bad_status"));
        AssertServed();
    }

    [Fact]
    public void AnErrorOfTheServerIsTheClients()
    {
        int write = _client.Write(0, new byte[512]);
        _server.Reply(_server.Next().Request.Tag, (uint)BlockStatus.IoError, []);
        _client.Ends(BlockStatus.IoError, write);
        Assert.Equal(1ul, _rig.Switch.Port("disk").Counters.FailedRequests);
    }

    [Fact]
    public void WhatIsNoMessageIsCounted()
    {
        byte[] reply = new byte[BlockServingReply.Bytes];
        new BlockServingReply(new BlockTag(_server.Epoch, 1, 0, 0, 0, 0), 0, 0).Write(reply);
        byte[] unknown = [.. reply], header = [.. reply];
        unknown[0] = 77;
        header[2] = 3;
        foreach (byte[] bad in new[] { [1], reply[..23], unknown, header, reply[..27] })
            _server.Send(bad);
        Assert.Equal(5ul, _rig.Faults("store", "bad_message"));
        AssertServed();
    }

    [Fact]
    public void AnnouncementsThatCannotBeAreRefused()
    {
        BlockAnnouncement[] bad =
        [
            DiskServer.Plain with { Version = 9 }, DiskServer.Plain with { BlockSize = 3 }, DiskServer.Plain with { Capacity = 8 },
            DiskServer.Plain with { Id = "another" }, DiskServer.Plain with { MaxData = 4096 },
            DiskServer.Plain with { Flags = BlockAnnouncementFlags.ReadOnly },
        ];
        foreach (var disk in bad)
            _server.Announce(_server.Epoch, disk);
        Assert.Equal((ulong)bad.Length, _rig.Faults("store", "bad_announcement"));
        AssertServed();
    }

    [Fact]
    public void AFloodOfRubbishDisturbsNoOtherPort()
    {
        var (a, b) = _rig.Switch.Join();
        using var _ = a;
        using var __ = b;
        byte[] rubbish = new byte[64];
        for (int round = 0; round < 20; round++)
        {
            for (int i = 0; i < 32; i++)
                _server.Guest.Transmit().Submit(rubbish, 0, kick: false);
            _server.Guest.Transmit().KickIfWanted();
            Exchange.BothWays(a, b, 2);
            for (int i = 0; i < 32; i++)
                _server.Guest.Transmit().NextCompletion();
        }
        Assert.Equal(640ul, _rig.Faults("store", "bad_message"));
        AssertServed();
    }

    [Fact]
    public void ABufferWithoutRoomIsGivenBackEmpty()
    {
        using var rig = new BlockRig();
        using var server = new DiskServer(rig.ServerSocket, buffers: 1);
        server.Begin();
        using var client = rig.Client();
        // The one good buffer is behind a small one, by the order in which they are posted.
        int first = client.Read(0, 512);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, first);
        server.Guest.Receive().PostBuffers(1, 30);
        int a = client.Read(0, 512), b = client.Read(1, 512);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, a);
        Assert.True(server.Guest.Receive().NextBytes() is { Length: 0 } || rig.Faults("store", "buffer_too_small") > 0);
        Assert.True(b >= 0);
    }

    /// <summary>All is as it should be after the mischief.</summary>
    private void AssertServed()
    {
        int write = _client.Write(4, RequestTests.Pattern(512, 9));
        _server.Serve(1);
        _client.Ends(BlockStatus.Ok, write);
        Assert.Equal(RequestTests.Pattern(512, 9), _server.Medium[2048..2560]);
    }
}
