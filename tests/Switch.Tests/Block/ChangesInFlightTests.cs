using System.Buffers.Binary;
using InterGuest.Switch.Tests.DataPath;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Block;

/// <summary>What a front-end changes while the server has requests.</summary>
public sealed class ChangesInFlightTests : IDisposable
{
    private const int Descriptor = 16, LengthAt = 8, FileBytes = 8192;

    private readonly BlockRig _rig = new();
    private readonly DiskServer _server;
    private readonly DiskClient _client;

    public ChangesInFlightTests() => (_server, _client) = _rig.Run();

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
        _rig.Dispose();
    }

    [Fact]
    public void MemoryThatIsMappedAnewGetsTheData()
    {
        Random.Shared.NextBytes(_server.Medium);
        int read = _client.Read(0, 4096);
        var (request, data) = _server.Next();
        _client.Guest.FrontEnd.SetMemoryTable((_client.Guest.Memory.Layout, _client.Guest.Memory.File));
        _server.Do(request, data);
        Assert.Equal(_server.Medium[..4096], _client.End(read).Data);
    }

    /// <summary>A change takes the port's rings out for a moment, and its peer's: nobody may take a reply whose client is out.</summary>
    [Theory]
    [InlineData("disk")]
    [InlineData("store")]
    public async Task NoReplyIsLostWhileAPortChanges(string port)
    {
        const int Requests = 2000;
        var guest = port == "disk" ? _client.Guest : _server.Guest;
        bool over = false;
        var serving = Task.Run(() => _server.Serve(Requests));
        var changing = Task.Run(() =>
        {
            while (!Volatile.Read(ref over))
                guest.FrontEnd.SetMemoryTable((guest.Memory.Layout, guest.Memory.File));
        });
        try
        {
            for (int i = 0; i < Requests; i++)
                _client.Ends(BlockStatus.Ok, _client.Read(0, 512));
        }
        finally
        {
            Volatile.Write(ref over, true);
            await changing;
        }
        await serving;
        Assert.Equal(0ul, _rig.Faults("store", "unknown_tag"));
    }

    /// <summary>Its server answers into the void: it is asked again, after the end of all that it still does, in a new epoch.</summary>
    [Fact]
    public void ARequestWhoseLinkIsRemovedMeanwhileIsAskedAgainByTheNext()
    {
        int read = _client.Read(0, 512);
        var (request, data) = _server.Next();
        _rig.Switch.Do(b => b.DeleteLink("d1"));
        _server.Do(request, data);
        Assert.False(_client.Queue().HasUsed);
        _rig.Switch.AddLink("again", "disk", "store");
        _server.Begin().Serve(1);
        _client.Ends(BlockStatus.Ok, read);
    }

    /// <summary>Its new form is not what was checked: nothing is written but an error, in the byte that is the status now.</summary>
    [Fact]
    public void Spec_2_7_8_2_ADescriptorThatChangesMeanwhileIsNotFilled()
    {
        _client.Read(0, 4096);
        var (request, data) = _server.Next();
        var table = new RawRing(_client.Guest, _client.Queue()).Descriptors;
        BinaryPrimitives.WriteUInt32LittleEndian(table[(Descriptor + LengthAt)..], 100);
        _client.Guest.FrontEnd.SetMemoryTable((_client.Guest.Memory.Layout, _client.Guest.Memory.File));
        _server.Do(request, data);
        var (_, written, room) = _client.Queue().NextCompletion();
        Assert.Equal((0u, (byte)BlockStatus.IoError), (written, room[99]));
        Assert.All(room.Where((_, i) => i != 99), b => Assert.Equal(0xee, b));
    }

    [Fact]
    public void ARequestWhoseMemoryHasGoneHurtsNobodyElse()
    {
        using var more = new DriverMemory(1 << 20, 0x9000_0000);
        var front = _client.Guest.FrontEnd;
        front.ChangeMemory(RequestCode.AddMemoryRegion, more.Layout, more.File);
        var driver = _client.Queue().Driver;
        ulong header = _client.Guest.Memory.Allocate(BlockRequest.Bytes), status = _client.Guest.Memory.Allocate(1);
        new BlockRequest(BlockOperation.In, 0).Write(_client.Guest.Memory.At(header, BlockRequest.Bytes));
        Assert.True(driver.TryAdd(
            [new DriverBuffer(header, BlockRequest.Bytes)], [new DriverBuffer(more.Allocate(4096), 4096), new DriverBuffer(status, 1)], 1000));
        _client.Queue().KickIfWanted();
        var (request, data) = _server.Next();
        front.ChangeMemory(RequestCode.RemoveMemoryRegion, more.Layout);
        _server.Do(request, data);
        uint written = 1;
        Wait.Until(() => driver.TryGetUsed(out _, out written), "the request is given back");
        Assert.Equal(0u, written);
        int read = _client.Read(8, 512);
        _server.Serve(1);
        _client.Ends(BlockStatus.Ok, read);
    }

    /// <summary>vhost-user, "Inflight I/O tracking": what a switch had when it died is asked again, oldest first; what it had done is not.</summary>
    [Fact]
    public void WhatASwitchHadIsFoundInTheInflightRegion()
    {
        using var region = InflightRegion.Create(2, _client.Queue().Driver.Size);
        Reconnect(region.File.Duplicate(), InflightRegion.Bytes(2, _client.Queue().Driver.Size));
        int[] tokens = [.. Enumerable.Range(0, 4).Select(i => _client.Write((ulong)i, RequestTests.Pattern(512, (byte)(i + 1))))];
        var first = Enumerable.Range(0, 4).Select(_ => _server.Next()).ToArray();
        _server.Do(first[1].Request, first[1].Data);
        _client.Ends(BlockStatus.Ok, tokens[1]);

        Reconnect(region.File.Duplicate(), InflightRegion.Bytes(2, _client.Queue().Driver.Size));
        foreach (int i in new[] { 0, 2, 3 })
            _server.Reply(first[i].Request.Tag, 0, []); // of the guest's time before
        Assert.Equal(3ul, _rig.Faults("store", "late_reply"));
        foreach (int i in new[] { 0, 2, 3 })
        {
            var (request, data) = _server.Next();
            Assert.Equal((ulong)i, request.Sector);
            _server.Do(request, data);
            _client.Ends(BlockStatus.Ok, tokens[i]);
        }
        Assert.Equal("", _rig.Switch.Port("disk").Fault);
    }

    /// <summary>The region is the front-end's to write, so it is believed only after checks.</summary>
    [Theory]
    [InlineData(8, (ushort)7)] // version
    [InlineData(10, (ushort)3)] // entries
    [InlineData(16, (ushort)2)] // in flight: neither 0 nor 1
    public void ARegionThatWeHaveNotWrittenStopsThePortAlone(int at, ushort value)
    {
        int size = _client.Queue().Driver.Size;
        var file = MemFd.Create("inflight", FileBytes);
        using var bytes = new DriverMemory(file.Duplicate(), FileBytes, 0);
        using var region = InflightRegion.TryOpen(file, FileBytes, 0, 2, size, out _)!;
        region.Queues[0].Clear();
        region.Queues[0].Taken(5);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.At((ulong)at, sizeof(ushort)), value);
        Reconnect(region.File.Duplicate(), InflightRegion.Bytes(2, size));
        Assert.Contains("inflight region", _rig.Switch.PortWhen("disk", p => p.Fault != "", "the port stops").Fault, StringComparison.Ordinal);
        Assert.Equal("", _rig.Switch.Port("store").Fault);
    }

    [Fact]
    public void ARegionThatIsTooSmallIsRefused()
    {
        int size = _client.Queue().Driver.Size;
        using var region = InflightRegion.Create(2, size);
        Assert.Throws<IOException>(() => Reconnect(region.File.Duplicate(), InflightRegion.Bytes(2, size) - 1));
        Assert.Throws<IOException>(() => Reconnect(MemFd.Create("short", 1024), InflightRegion.Bytes(2, size)));
    }

    /// <summary>As QEMU does when the back-end has died: the same memory and rings, and the region that it has kept.</summary>
    private void Reconnect(FileDescriptor region, ulong bytes)
    {
        var guest = _client.Guest;
        guest.FrontEnd.Dispose();
        guest.Connect(_rig.ClientSocket);
        guest.FrontEnd.Set(RequestCode.SetProtocolFeatures, guest.FrontEnd.Get(RequestCode.GetProtocolFeatures));
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        guest.FrontEnd.SetMemoryTable((guest.Memory.Layout, guest.Memory.File));
        byte[] body = new byte[24];
        BinaryPrimitives.WriteUInt64LittleEndian(body, bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(16), 2);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(18), (ushort)_client.Queue().Driver.Size);
        guest.FrontEnd.Do(RequestCode.SetInflightFd, body, region);
        region.Dispose();
        for (uint ring = 0; ring < 2; ring++)
            guest.StartRing(ring, new RawRing(guest, _client.Queue((int)ring)).UsedIndex);
        for (uint ring = 0; ring < 2; ring++)
            guest.FrontEnd.SetVring(RequestCode.SetVringEnable, ring, 1);
    }
}
