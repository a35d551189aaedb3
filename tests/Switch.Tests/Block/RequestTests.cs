using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Block;

/// <summary>Requests that go through, by each kind (VIRTIO 1.2, 5.2.6).</summary>
public class RequestTests
{
    private static readonly BlockAnnouncement Full = DiskServer.Plain with
    {
        Flags = BlockAnnouncementFlags.Cached | BlockAnnouncementFlags.Discard | BlockAnnouncementFlags.WriteZeroes | BlockAnnouncementFlags.Unmap,
        Cache = 7, MaxDiscard = 256, MaxWriteZeroes = 128,
    };

    private const ulong FullFeatures =
        TestGuest.PlainFeatures | Features.BlockFlush | Features.BlockConfigWriteback | Features.BlockDiscard | Features.BlockWriteZeroes;

    [Fact]
    public void Spec_5_2_6_WhatIsWrittenIsReadAgain()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        byte[] data = Pattern(4096, 1);
        int write = client.Write(8, data);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, write);
        int read = client.Read(8, 4096);
        server.Serve(1);
        var (status, got) = client.End(read);
        Assert.Equal(BlockStatus.Ok, status);
        Assert.Equal(data, got);
        var counters = rig.Switch.Port("disk").Counters;
        Assert.Equal((1ul, 4096ul, 1ul, 4096ul), (counters.TxFrames, counters.TxBytes, counters.RxFrames, counters.RxBytes));
        Assert.Equal(LinkState.Up, rig.Switch.Link("d1").State);
    }

    [Fact]
    public void Section_2_ALargeRequestComesInParts()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        byte[] data = Pattern(200 * 1024, 3);
        int write = client.Write(16, data);
        server.Serve(4); // 64 KiB each, and a rest of 8
        client.Ends(BlockStatus.Ok, write);
        int read = client.Read(16, data.Length);
        server.Serve(4);
        Assert.Equal(data, client.End(read).Data);
    }

    [Fact]
    public void Section_5_RepliesComeInAnyOrder()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        Random.Shared.NextBytes(server.Medium);
        int[] tokens = [.. Enumerable.Range(0, 8).Select(i => client.Read((ulong)i * 8, 512 * (i + 1)))];
        var requests = Enumerable.Range(0, 8).Select(_ => server.Next()).ToArray();
        foreach (int i in new[] { 5, 0, 7, 1, 6, 2, 4, 3 })
        {
            server.Do(requests[i].Request, requests[i].Data);
            var (status, data) = client.End(tokens[i]);
            Assert.Equal(BlockStatus.Ok, status);
            Assert.Equal(server.Medium.AsSpan(i * 8 * 512, 512 * (i + 1)).ToArray(), data);
        }
    }

    [Fact]
    public void SeveralQueuesAreServedAlike()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        for (int queue = 0; queue < 2; queue++)
        {
            byte[] data = Pattern(512, (byte)(queue + 1));
            int write = client.Write((ulong)queue, data, queue);
            server.Serve(1);
            client.Ends(BlockStatus.Ok, write, queue);
            Assert.Equal(data, server.Medium[(queue * 512)..((queue + 1) * 512)]);
        }
    }

    [Fact]
    public void Section_6_FlushReachesACachedServerAlone()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run(Full, FullFeatures);
        using var _ = server;
        using var __ = client;
        int flush = client.Flush();
        Assert.Equal(BlockOperation.Flush, server.Next().Request is var asked ? asked.Operation : default);
        server.Reply(asked.Tag, 0, []);
        client.Ends(BlockStatus.Ok, flush);

        using var durable = new BlockRig();
        var (plain, other) = durable.Run();
        using var ___ = plain;
        using var ____ = other;
        other.Ends(BlockStatus.Ok, other.Flush());
        int read = other.Read(0, 512);
        Assert.Equal(BlockOperation.In, plain.Next().Request.Operation); // and no FLUSH before
        Assert.True(read >= 0);
    }

    [Fact]
    public void Section_2_ADriverWithoutFlushHasDurableWrites()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run(Full);
        using var _ = server;
        using var __ = client;
        client.Write(0, new byte[512]);
        Assert.Equal(BlockServingRequest.Durable, server.Next().Request.Flags);
    }

    [Fact]
    public void Spec_5_2_6_DiscardAndWriteZeroesByTheirRanges()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run(Full, FullFeatures);
        using var _ = server;
        using var __ = client;
        Array.Fill(server.Medium, (byte)1);
        int zero = client.Ranges(BlockOperation.WriteZeroes, new BlockRange(0, 8, BlockRange.Unmap), new BlockRange(100, 1, 0));
        var first = server.Next().Request;
        Assert.Equal((BlockOperation.WriteZeroes, 0ul, 8u, BlockServingRequest.Unmap), (first.Operation, first.Sector, first.Sectors, first.Flags));
        server.Do(first, []);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, zero);
        Assert.Equal(9 * 512, server.Medium.Count(b => b == 0));
        int discard = client.Ranges(BlockOperation.Discard, new BlockRange(512, 256, 0));
        server.Serve(1);
        client.Ends(BlockStatus.Ok, discard);
        Assert.Equal((9 + 256) * 512, server.Medium.Count(b => b == 0));
    }

    [Fact]
    public void Spec_5_2_6_TheSwitchKnowsTheDisksName()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        int id = client.Submit(BlockOperation.GetId, 0, [], 21);
        var (status, data) = client.End(id);
        Assert.Equal(BlockStatus.Ok, status);
        Assert.Equal([.. "test-disk"u8, .. new byte[11]], data);
    }

    [Fact]
    public void Section_5_WithoutBuffersRequestsWaitAndNothingIsLost()
    {
        using var rig = new BlockRig();
        using var server = new DiskServer(rig.ServerSocket, buffers: 2).Begin();
        using var client = rig.Client();
        int[] tokens = [.. Enumerable.Range(0, 32).Select(i => client.Write((ulong)i, Pattern(512, (byte)i)))];
        server.Serve(32);
        foreach (int token in tokens)
            client.Ends(BlockStatus.Ok, token);
        Assert.All(Enumerable.Range(0, 32), i => Assert.Equal((byte)i, server.Medium[i * 512]));
    }

    [Fact]
    public void SeveralClientsShareAServer()
    {
        using var rig = new BlockRig();
        rig.AddOther();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        using var other = rig.Client(port: "other");
        int a = client.Write(0, Pattern(512, 1)), b = other.Write(1, Pattern(512, 2));
        server.Serve(2);
        client.Ends(BlockStatus.Ok, a);
        other.Ends(BlockStatus.Ok, b);
        int c = client.Read(1, 512);
        server.Serve(1);
        Assert.Equal(Pattern(512, 2), client.End(c).Data);
        Assert.Equal(["d1", "d2"], rig.Switch.Port("store").Links);
    }

    internal static byte[] Pattern(int bytes, byte first) => [.. Enumerable.Range(0, bytes).Select(i => (byte)(first + i / 512))];
}
