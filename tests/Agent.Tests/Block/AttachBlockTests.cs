using InterGuest.Agent.Block;
using InterGuest.Agent.Nbd;
using InterGuest.Agent.Tests.Fakes;
using InterGuest.Switch.Tests;
using InterGuest.Virtio.Devices;

namespace InterGuest.Agent.Tests.Block;

/// <summary>The block driver (VIRTIO 1.2, 5.2) on a device that a test plays, and what NBD makes of it.</summary>
public sealed class AttachBlockTests : IDisposable
{
    private const int DiskBytes = 4 << 20;

    private readonly byte[] _disk = new byte[DiskBytes];
    private readonly FakeGuest _guest = new(
        FakeDevice.PlainFeatures | Features.BlockSize | Features.BlockFlush | Features.BlockDiscard | Features.BlockWriteZeroes, FakeBlockDevice.Configuration(DiskBytes));

    private readonly AttachBlockRole _role;
    private readonly NbdDisk _nbd;
    private FakeDevice? _device;

    public AttachBlockTests()
    {
        _role = new AttachBlockRole(() => _device?.Wake());
        _nbd = new NbdDisk(_role);
        _guest.Run(_role);
    }

    public void Dispose()
    {
        _guest.Dispose();
        _role.End();
    }

    [Fact]
    public async Task The_geometry_is_that_of_the_configuration_space()
    {
        using var device = await OpenAsync();
        Assert.Equal((ulong)DiskBytes, (await _role.Ready).Bytes);
        Assert.Equal(NbdProtocol.HasFlags | NbdProtocol.SendFlush | NbdProtocol.SendFua | NbdProtocol.SendTrim | NbdProtocol.SendWriteZeroes | NbdProtocol.CanMultiConnect, _nbd.Flags);
    }

    [Theory]
    [InlineData(512)]
    [InlineData(AttachBlockRole.MaxData + 512)]
    [InlineData(DiskBytes)]
    public async Task What_is_written_is_read_however_long(int length)
    {
        using var device = await OpenAsync();
        byte[] data = new byte[length], read = new byte[length];
        new Random(length).NextBytes(data);
        Assert.Equal(0u, await DoAsync(NbdProtocol.Write, 0, data));
        Assert.Equal(data, _disk[..length]);
        Assert.Equal(0u, await DoAsync(NbdProtocol.Read, 0, read));
        Assert.Equal(data, read);
    }

    [Fact]
    public async Task Fua_is_a_flush_behind_the_write()
    {
        using var device = await OpenAsync();
        Assert.Equal(0u, await DoAsync(NbdProtocol.Write, 0, new byte[512], NbdProtocol.Fua));
        Assert.Equal([BlockOperation.Out, BlockOperation.Flush], device.Done);
    }

    [Fact]
    public async Task Trim_and_zeroes_are_cut_to_what_the_device_takes()
    {
        using var device = await OpenAsync();
        _disk.AsSpan().Fill(7);
        Assert.Equal(0u, await Wait.ForAsync(_nbd.DoAsync(NbdProtocol.WriteZeroes, 0, 512, 65536, default), "zeroes"));
        Assert.Equal(Enumerable.Repeat(BlockOperation.WriteZeroes, 2), device.Done);
        Assert.Equal(0u, await Wait.ForAsync(_nbd.DoAsync(NbdProtocol.Trim, 0, 512 + 65536, 1024, default), "trim"));
        Assert.Equal(7, _disk[511]);
        Assert.All(_disk[512..(512 + 65536 + 1024)], b => Assert.Equal(0, b));
        Assert.Equal(7, _disk[512 + 65536 + 1024]);
    }

    [Theory]
    [InlineData(NbdProtocol.Read, DiskBytes - 512, 1024, NbdProtocol.EINVAL)]
    [InlineData(NbdProtocol.Write, DiskBytes, 512, NbdProtocol.ENOSPC)]
    [InlineData(NbdProtocol.Write, 1, 512, NbdProtocol.EINVAL)]
    [InlineData(NbdProtocol.Read, 0, 511, NbdProtocol.EINVAL)]
    [InlineData(99, 0, 512, NbdProtocol.EINVAL)]
    public async Task What_cannot_be_is_an_error_and_reaches_no_device(int command, int offset, int length, uint error)
    {
        using var device = await OpenAsync();
        Assert.Equal(error, await DoAsync((ushort)command, (ulong)offset, new byte[length]));
        Assert.Empty(device.Done);
    }

    [Fact]
    public async Task What_was_in_flight_when_the_device_was_lost_is_asked_again()
    {
        var first = await _guest.DeviceAsync();
        _device = first;
        byte[] data = [.. Enumerable.Repeat((byte)9, 512)];
        var written = Enumerable.Range(0, 10).Select(i => DoAsync(NbdProtocol.Write, (ulong)i * 512, data)).ToArray();
        var swallowing = new FakeBlockDevice(first, _disk);
        for (int i = 0; i < 10; i++)
            Wait.Until(swallowing.TrySwallow, "a request comes");
        first.Lose();
        using var device = await OpenAsync();
        Assert.All(await Wait.ForAsync(Task.WhenAll(written), "all are written"), e => Assert.Equal(0u, e));
        Assert.All(_disk[..5120], b => Assert.Equal(9, b));
        Assert.Equal(10, device.Done.Count);
    }

    [Fact]
    public async Task When_all_ends_who_waits_is_told()
    {
        var first = await _guest.DeviceAsync();
        _device = first;
        var waiting = DoAsync(NbdProtocol.Read, 0, new byte[512]);
        await _guest.EndAsync();
        _role.End();
        Assert.Equal(NbdProtocol.EIO, await Wait.ForAsync(waiting, "the request fails"));
        Assert.Equal(NbdProtocol.EIO, await DoAsync(NbdProtocol.Read, 0, new byte[512]));
    }

    private async Task<FakeBlockDevice> OpenAsync()
    {
        _device = await _guest.DeviceAsync();
        await Wait.ForAsync(_role.Ready, "the disk is ready");
        return new FakeBlockDevice(_device, _disk).Run();
    }

    private Task<uint> DoAsync(ushort command, ulong offset, byte[] data, ushort flags = 0) =>
        Wait.ForAsync(_nbd.DoAsync(command, flags, offset, (uint)data.Length, data), "a reply");
}
