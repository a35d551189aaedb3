using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Block;

/// <summary>Servers that go and come again (docs/block-serving.md, sections 4 and 6).</summary>
public class ServerLossTests
{
    [Fact]
    public void Section_4_WhatWasNotRepliedToIsSentAgainInOrder()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = client;
        int[] tokens = [.. Enumerable.Range(0, 6).Select(i => client.Write((ulong)i, RequestTests.Pattern(512, (byte)(i + 1))))];
        var asked = Enumerable.Range(0, 6).Select(_ => server.Next()).ToArray();
        server.Do(asked[2].Request, asked[2].Data);
        client.Ends(BlockStatus.Ok, tokens[2]);
        uint before = server.Epoch;
        server.Dispose();
        using var next = new DiskServer(rig.ServerSocket).Begin();
        Assert.NotEqual(before, next.Epoch);
        foreach (int i in new[] { 0, 1, 3, 4, 5 })
        {
            var (request, data) = next.Next();
            Assert.Equal((ulong)i, request.Sector);
            next.Do(request, data);
            client.Ends(BlockStatus.Ok, tokens[i]);
        }
        Assert.Equal(LinkState.Up, rig.Switch.Link("d1").State);
    }

    /// <summary>What was five messages for the server before is eighty for the next, and a request has 64 at most.</summary>
    [Fact]
    public void Section_4_ARequestThatIsTooLargeForTheNextServerFails()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = client;
        int large = client.Write(0, RequestTests.Pattern(80 * 4096, 3)), small = client.Write(1000, RequestTests.Pattern(512, 4));
        for (int part = 0; part < 6; part++)
            server.Next();
        server.Dispose();
        using var next = new DiskServer(rig.ServerSocket, DiskServer.Plain with { MaxData = 4096 }).Begin();
        client.Ends(BlockStatus.IoError, large);
        next.Serve(1);
        client.Ends(BlockStatus.Ok, small);
        Assert.Equal(1ul, rig.Faults("disk", "request_too_large"));
    }

    /// <summary>Each message of the server's front-end takes the rings out of the data path and puts them back.</summary>
    [Fact]
    public void ManyLossesWithAFullRingLeaveTheClientWell()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = client;
        int[] tokens = [.. Enumerable.Range(0, 24).Select(i => client.Write((ulong)i, RequestTests.Pattern(512, 1)))];
        for (int loss = 0; loss < 10; loss++)
        {
            for (int i = 0; i < 16; i++)
                server.Next();
            server.Dispose();
            server = new DiskServer(rig.ServerSocket).Begin();
        }
        server.Serve(24);
        foreach (int token in tokens)
            client.Ends(BlockStatus.Ok, token);
        server.Dispose();
        Assert.Equal("", rig.Switch.Port("disk").Fault);
    }

    [Fact]
    public void NothingIsSentBeforeTheServerHasAnnounced()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = client;
        server.Dispose();
        int read = client.Read(0, 512);
        using var next = new DiskServer(rig.ServerSocket);
        next.AwaitStart();
        Assert.Contains("announced no disk yet", rig.Switch.Link("d1").Reason, StringComparison.Ordinal);
        next.Announce(next.Epoch);
        next.Serve(1);
        client.Ends(BlockStatus.Ok, read);
    }

    [Fact]
    public void OnServerLossErrorFailsWhatWaitsAndWhatComes()
    {
        using var rig = new BlockRig(failAfter: TimeSpan.FromMilliseconds(300));
        var (server, client) = rig.Run();
        using var _ = client;
        int before = client.Write(0, new byte[512]);
        server.Next();
        server.Dispose();
        client.Ends(BlockStatus.IoError, before);
        client.Ends(BlockStatus.IoError, client.Read(0, 512));
        using var next = new DiskServer(rig.ServerSocket).Begin();
        int after = client.Read(0, 512);
        next.Serve(1);
        client.Ends(BlockStatus.Ok, after);
    }

    [Fact]
    public void ASilentServerIsLeftForANewEpoch()
    {
        using var rig = new BlockRig(failAfter: TimeSpan.FromMilliseconds(300));
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        int write = client.Write(0, new byte[512]);
        var late = server.Next().Request;
        client.Ends(BlockStatus.IoError, write);
        Assert.Equal(1ul, rig.Faults("store", "no_reply"));
        server.Begin();
        server.Reply(late.Tag, 0, []);
        Assert.Equal(1ul, rig.Faults("store", "stale_epoch"));
        int read = client.Read(0, 512);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, read);
    }

    [Theory]
    [InlineData(7ul, 7ul, BlockStatus.Ok)]
    [InlineData(7ul, 8ul, BlockStatus.IoError)]
    [InlineData(0ul, 0ul, BlockStatus.IoError)]
    public void Section_6_ALostCacheIsToldByTheNextFlushOnce(ulong cache, ulong after, BlockStatus flushed)
    {
        var disk = DiskServer.Plain with { Flags = BlockAnnouncementFlags.Cached, Cache = cache };
        using var rig = new BlockRig();
        var (server, client) = rig.Run(disk, TestGuest.PlainFeatures | Features.BlockFlush);
        using var _ = client;
        int write = client.Write(0, new byte[512]);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, write);
        server.Dispose();
        using var next = new DiskServer(rig.ServerSocket, disk with { Cache = after }).Begin();
        int flush = client.Flush();
        if (flushed == BlockStatus.Ok)
            next.Serve(1);
        client.Ends(flushed, flush);
        int again = client.Flush();
        next.Serve(1);
        client.Ends(BlockStatus.Ok, again);
    }

    [Fact]
    public void Section_3_ADiskThatGrowsIsTold()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        server.Announce(server.Epoch, DiskServer.Plain with { Capacity = 4096 });
        rig.Switch.PortWhen("disk", p => p.Disk.CapacityBytes == 4096 * 512, "the disk has grown");
        int read = client.Read(4095, 512);
        server.Reply(server.Next().Request.Tag, 0, new byte[512]);
        client.Ends(BlockStatus.Ok, read);
    }

    [Fact]
    public void Section_3_AClientThatComesAgainFindsAnotherDisk()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        int first = client.Read(0, 512);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, first);
        client.Dispose();
        rig.Switch.PortIn(PortState.Listening, "disk");
        server.Dispose();
        using var next = new DiskServer(rig.ServerSocket, DiskServer.Plain with { Id = "another", Capacity = 1024 }).Begin();
        rig.Switch.PortWhen("disk", p => p.Disk.Id == "another", "the other disk is known");
        using var again = rig.Client();
        int read = again.Read(0, 512);
        next.Serve(1);
        again.Ends(BlockStatus.Ok, read);
    }

    [Fact]
    public async Task GetVringBaseWaitsForWhatIsOnItsWay()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        int write = client.Write(0, new byte[512]);
        var (request, data) = server.Next();
        var stop = Task.Run(() => client.Guest.FrontEnd.StopVring(0));
        server.Do(request, data);
        client.Ends(BlockStatus.Ok, write);
        await Wait.ForAsync(stop, "the ring stops");
    }

    [Fact]
    public void AServerThatNeverAnswersDoesNotKeepAGuestFromStopping()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        int write = client.Write(0, new byte[512]);
        server.Next();
        client.Guest.FrontEnd.StopVring(0);
        client.Ends(BlockStatus.IoError, write);
        server.Begin(); // what it had of the guest is of an epoch that has ended
    }
}
