using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.Block;

/// <summary>Every bad request of the specification (VIRTIO 1.2, 5.2.6): an error, a counter, and no word of it to the server.</summary>
public sealed class HostileClientTests : IDisposable
{
    private static readonly BlockAnnouncement Full = DiskServer.Plain with
    {
        Flags = BlockAnnouncementFlags.Discard | BlockAnnouncementFlags.WriteZeroes, MaxDiscard = 64, MaxWriteZeroes = 64, BlockSize = 4096,
    };

    private readonly BlockRig _rig = new();
    private readonly DiskServer _server;
    private readonly DiskClient _client;

    public HostileClientTests() => (_server, _client) = _rig.Run(Full);

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
        _rig.Dispose();
    }

    [Theory]
    [InlineData(2048ul, 4096, "out_of_range")]
    [InlineData(2040ul, 8192, "out_of_range")]
    [InlineData(ulong.MaxValue - 7, 4096, "out_of_range")]
    [InlineData(1ul, 4096, "not_whole_blocks")]
    [InlineData(0ul, 512, "not_whole_blocks")]
    [InlineData(0ul, 4095, "not_whole_blocks")]
    [InlineData(0ul, 0, "not_whole_blocks")]
    public void ReadsAndWritesOutsideTheRules(ulong sector, int bytes, string counter)
    {
        _client.Ends(BlockStatus.IoError, _client.Read(sector, bytes));
        _client.Ends(BlockStatus.IoError, _client.Write(sector, new byte[bytes]));
        Assert.Equal(2ul, _rig.Faults("disk", counter));
        AssertServed();
    }

    [Theory]
    [InlineData(5u)]
    [InlineData(10u)]
    [InlineData(14u)]
    [InlineData(uint.MaxValue)]
    public void OperationsThatNobodyKnows(uint operation)
    {
        _client.Ends(BlockStatus.Unsupported, _client.Submit((BlockOperation)operation, 0, [], 1));
        Assert.Equal(1ul, _rig.Faults("disk", "unsupported_request"));
        AssertServed();
    }

    public static TheoryData<BlockOperation, ulong, uint, uint, BlockStatus, string> Ranges => new()
    {
        { BlockOperation.Discard, 0, 0, 0, BlockStatus.IoError, "bad_range" },
        { BlockOperation.Discard, 0, 72, 0, BlockStatus.IoError, "bad_range" },
        { BlockOperation.WriteZeroes, 0, uint.MaxValue, 0, BlockStatus.IoError, "bad_range" },
        { BlockOperation.Discard, 2048, 8, 0, BlockStatus.IoError, "out_of_range" },
        { BlockOperation.WriteZeroes, ulong.MaxValue - 7, 8, 0, BlockStatus.IoError, "out_of_range" },
        { BlockOperation.Discard, 4, 8, 0, BlockStatus.IoError, "not_whole_blocks" },
        { BlockOperation.WriteZeroes, 0, 4, 0, BlockStatus.IoError, "not_whole_blocks" },
        { BlockOperation.Discard, 0, 8, 1, BlockStatus.Unsupported, "unsupported_request" },
        { BlockOperation.WriteZeroes, 0, 8, 2, BlockStatus.Unsupported, "unsupported_request" },
    };

    [Theory]
    [MemberData(nameof(Ranges))]
    public void Spec_5_2_6_2_RangesOutsideTheRules(BlockOperation operation, ulong sector, uint sectors, uint flags, BlockStatus status, string counter)
    {
        _client.Ends(status, _client.Ranges(operation, new BlockRange(sector, sectors, flags)));
        Assert.Equal(1ul, _rig.Faults("disk", counter));
        AssertServed();
    }

    [Fact]
    public void TooManyRangesAndPartsOfOne()
    {
        _client.Ends(BlockStatus.IoError, _client.Ranges(BlockOperation.Discard, [.. Enumerable.Repeat(new BlockRange(0, 8, 0), 17)]));
        _client.Ends(BlockStatus.IoError, _client.Submit(BlockOperation.Discard, 0, new byte[15], 1));
        _client.Ends(BlockStatus.IoError, _client.Submit(BlockOperation.Discard, 0, [], 1));
        Assert.Equal(3ul, _rig.Faults("disk", "bad_range"));
        AssertServed();
    }

    [Fact]
    public void Spec_5_2_6_WithoutAHeaderThereIsAStatusAndWithoutAPlaceForItNone()
    {
        _client.Ends(BlockStatus.IoError, _client.Queue().Submit(new byte[15], 9));
        _client.Queue().Submit(new byte[16], 0);
        Assert.Equal(0u, _client.Queue().NextCompletion().Written);
        Assert.Equal(2ul, _rig.Faults("disk", "bad_request"));
        AssertServed();
    }

    /// <summary>To fill more than a gigabyte with zeros would take the time of everybody.</summary>
    [Fact]
    public void FarTooMuchRoomIsNotFilledButForTheStatus()
    {
        const int Piece = 32 << 20;
        var memory = _client.Guest.Memory;
        ulong header = memory.Allocate(BlockRequest.Bytes), room = memory.Allocate(Piece), status = memory.Allocate(1);
        new BlockRequest(BlockOperation.In, 0).Write(memory.At(header, BlockRequest.Bytes));
        var pieces = Enumerable.Repeat(new DriverBuffer(room, Piece), 33).Append(new DriverBuffer(status, 1));
        Assert.True(_client.Queue().Driver.TryAdd([new DriverBuffer(header, BlockRequest.Bytes)], [.. pieces], 0));
        _client.Queue().KickIfWanted();
        uint written = 1;
        Wait.Until(() => _client.Queue().Driver.TryGetUsed(out _, out written), "the request is given back");
        Assert.Equal((0u, (byte)BlockStatus.IoError), (written, memory.At(status, 1)[0]));
        AssertServed();
    }

    [Fact]
    public void AWriteToAReadOnlyDisk()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run(DiskServer.Plain with { Flags = BlockAnnouncementFlags.ReadOnly });
        using var _ = server;
        using var __ = client;
        client.Ends(BlockStatus.IoError, client.Write(0, new byte[512]));
        Assert.Equal(1ul, rig.Faults("disk", "read_only_disk"));
        Assert.NotEqual(0ul, client.Guest.Offered & Features.BlockReadOnly);
    }

    /// <summary>The server was asked nothing but this.</summary>
    private void AssertServed()
    {
        int read = _client.Read(0, 4096);
        Assert.Equal(BlockOperation.In, _server.Next().Request is var request ? request.Operation : default);
        _server.Do(request, []);
        _client.Ends(BlockStatus.Ok, read);
    }
}
