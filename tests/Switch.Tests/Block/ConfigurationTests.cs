using System.Buffers.Binary;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Block;

/// <summary>The configuration space of a disk (VIRTIO 1.2, 5.2.4) in vhost-user's GET_CONFIG and SET_CONFIG.</summary>
public sealed class ConfigurationTests : IDisposable
{
    private static readonly BlockAnnouncement Disk = DiskServer.Plain with
    {
        Flags = BlockAnnouncementFlags.Cached | BlockAnnouncementFlags.Discard | BlockAnnouncementFlags.WriteZeroes | BlockAnnouncementFlags.Unmap,
        Cache = 9, BlockSize = 4096, PhysicalBlockExponent = 2, AlignmentOffset = 1, MinIoSize = 4, OptimalIoSize = 16,
        MaxDiscard = 64, DiscardAlignment = 8, MaxWriteZeroes = 128,
    };

    private readonly BlockRig _rig = new();
    private readonly DiskServer _server;
    private readonly DiskClient _client;

    public ConfigurationTests()
    {
        (_server, _client) = _rig.Run(Disk, TestGuest.PlainFeatures | Features.BlockFlush | Features.BlockConfigWriteback);
        var front = _client.Guest.FrontEnd;
        front.Set(RequestCode.SetProtocolFeatures, front.Get(RequestCode.GetProtocolFeatures));
    }

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
        _rig.Dispose();
    }

    [Fact]
    public void Spec_5_2_4_ItIsWhatTheServerAnnounced()
    {
        byte[] config = Read();
        Assert.Equal(
            ((ulong)DiskServer.Sectors, 4096u, (byte)2, (byte)1, (ushort)4, 16u, (byte)1, (ushort)2),
            (U64(config, 0), U32(config, 20), config[24], config[25], U16(config, 26), U32(config, 28), config[32], U16(config, 34)));
        Assert.Equal((64u, 8u, 128u, (byte)1), (U32(config, 36), U32(config, 44), U32(config, 48), config[56]));
        Assert.InRange(U32(config, 12), 1u, 126u); // seg_max
    }

    [Fact]
    public void Section_3_ADiskThatGrowsHasAnotherConfiguration()
    {
        _server.Announce(_server.Epoch, Disk with { Capacity = 2 * DiskServer.Sectors });
        _rig.Switch.PortWhen("disk", p => p.Disk.CapacityBytes == 2 * DiskServer.Sectors * 512, "the disk has grown");
        Assert.Equal(2ul * DiskServer.Sectors, U64(Read(), 0));
    }

    /// <summary>VIRTIO 1.2, 5.2.6.2: with writeback 0 a write is on the medium when it is done.</summary>
    [Fact]
    public void Spec_5_2_5_ADriverTurnsTheCacheOff()
    {
        Write(BlockConfig.WritebackOffset, 0);
        Assert.Equal(0, Read()[BlockConfig.WritebackOffset]);
        Assert.Equal(BlockServingRequest.Durable, FlagsOfAWrite());
        Write(BlockConfig.WritebackOffset, 1);
        Assert.Equal(0, FlagsOfAWrite());
    }

    [Theory]
    [InlineData(BlockConfig.WritebackOffset, new byte[] { 2 })]
    [InlineData(BlockConfig.WritebackOffset, new byte[] { 0, 0 })]
    [InlineData(0, new byte[] { 0 })]
    [InlineData(250, new byte[] { 1 })]
    public void Spec_5_2_4_NothingElseCanBeWritten(int offset, byte[] bytes)
    {
        byte[] before = Read();
        Assert.Throws<IOException>(() => Write(offset, bytes));
        Assert.Equal(before, Read());
    }

    private ushort FlagsOfAWrite()
    {
        int write = _client.Write(0, new byte[4096]);
        var (request, data) = _server.Next();
        _server.Do(request, data);
        _client.Ends(BlockStatus.Ok, write);
        return request.Flags;
    }

    private byte[] Read()
    {
        byte[] config = new byte[BlockConfig.Bytes];
        _client.Guest.FrontEnd.GetConfiguration(0, config);
        return config;
    }

    private void Write(int offset, params byte[] bytes)
    {
        byte[] body = [.. BitConverter.GetBytes((uint)offset), .. BitConverter.GetBytes((uint)bytes.Length), .. new byte[4], .. bytes];
        _client.Guest.FrontEnd.Do(RequestCode.SetConfig, body);
    }

    private static ulong U64(byte[] bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static ushort U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));
}
