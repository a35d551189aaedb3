using InterGuest.Agent.Block;
using InterGuest.Agent.Tests.Fakes;
using InterGuest.Switch.Tests;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;

namespace InterGuest.Agent.Tests.Block;

/// <summary>The serving side of docs/block-serving.md, against a switch that a test plays. Sections are those of the document.</summary>
public sealed class ServeBlockTests : IDisposable
{
    private const int ImageBytes = 8 << 20;

    private readonly TemporaryDirectory _directory = new();
    private readonly string _path;
    private readonly FakeGuest _guest = new(FakeDevice.PlainFeatures);
    private ImageFile? _image;
    private ServeBlockRole? _role;

    public ServeBlockTests()
    {
        _path = _directory.At("disk image.raw");
        using var file = File.Create(_path);
        file.SetLength(ImageBytes);
    }

    public void Dispose()
    {
        _guest.Dispose();
        _role?.Dispose();
        _image?.Dispose();
        _directory.Dispose();
    }

    [Fact] // 3
    public async Task The_disk_is_announced_as_it_is()
    {
        var announcement = (await ServeAsync(ImageMode.Durable)).Start(7);
        Assert.Equal((ulong)ImageBytes / 512, announcement.Capacity);
        Assert.Equal("disk_image.raw", announcement.Id);
        Assert.Equal(0ul, announcement.Cache);
        Assert.True(announcement.Flags.HasFlag(BlockAnnouncementFlags.WriteZeroes));
        Assert.False(announcement.Flags.HasFlag(BlockAnnouncementFlags.Cached));
        Assert.Equal(512u << 10, announcement.MaxData);
    }

    [Theory]
    [InlineData(ImageMode.Durable, 1)]
    [InlineData(ImageMode.Durable, 1024)]
    [InlineData(ImageMode.Cached, 1024)]
    public async Task What_is_written_is_in_the_file_and_is_read(ImageMode mode, uint sectors)
    {
        var client = await ServeAsync(mode);
        client.Start(1);
        byte[] data = Bytes(sectors);
        Assert.Equal(BlockStatus.Ok, client.Do(BlockOperation.Out, 8, sectors, data).Status);
        Assert.Equal(data, File.ReadAllBytes(_path).AsSpan(8 * 512, data.Length));
        var (status, read) = client.Do(BlockOperation.In, 8, sectors);
        Assert.Equal((BlockStatus.Ok, Convert.ToHexString(data)), (status, Convert.ToHexString(read)));
    }

    [Fact]
    public async Task Many_requests_in_flight_are_each_replied_to_once()
    {
        var client = await ServeAsync(ImageMode.Cached);
        client.Start(1);
        var waiting = new Dictionary<BlockTag, ulong>();
        for (ulong i = 0; i < 500; i++)
        {
            waiting.Add(client.Send(BlockOperation.Out, i * 8, 8, [.. Enumerable.Repeat((byte)i, 4096)]), i);
            if (waiting.Count == 64)
                Assert.True(waiting.Remove(client.Reply().Tag));
        }
        while (waiting.Count > 0)
            Assert.True(waiting.Remove(client.Reply().Tag));
        byte[] image = File.ReadAllBytes(_path);
        for (int i = 0; i < 500; i++)
            Assert.Equal(Enumerable.Repeat((byte)i, 4096), image[(i * 4096)..((i + 1) * 4096)]);
    }

    [Fact] // 2: "A receiver skips what it does not know between"
    public async Task A_longer_header_is_skipped()
    {
        var client = await ServeAsync(ImageMode.Durable);
        client.Start(1);
        byte[] data = Bytes(8);
        client.Send(BlockOperation.Out, 0, 8, data, extraHeader: 16);
        Assert.Equal(BlockStatus.Ok, client.Reply().Status);
        Assert.Equal(data, client.Do(BlockOperation.In, 0, 8).Data);
    }

    [Fact]
    public async Task Discard_and_unmap_punch_holes_and_zeroes_are_zeros()
    {
        var client = await ServeAsync(ImageMode.Durable);
        Assert.True(client.Start(1).Flags.HasFlag(BlockAnnouncementFlags.Discard | BlockAnnouncementFlags.Unmap), "the test needs a file system with holes");
        foreach (var (operation, flags, holes) in new[]
        {
            (BlockOperation.Discard, (ushort)0, true), (BlockOperation.WriteZeroes, BlockServingRequest.Unmap, true), (BlockOperation.WriteZeroes, (ushort)0, false),
        })
        {
            Assert.Equal(BlockStatus.Ok, client.Do(BlockOperation.Out, 0, 1024, Bytes(1024)).Status);
            long before = AllocatedBytes();
            Assert.Equal(BlockStatus.Ok, client.Do(operation, 0, 1024, flags: flags).Status);
            Assert.All(client.Do(BlockOperation.In, 0, 1024).Data, b => Assert.Equal(0, b));
            Assert.Equal(holes ? before - 1024 * 512 : before, AllocatedBytes());
            Assert.Equal(ImageBytes, new FileInfo(_path).Length);
        }
    }

    [Theory]
    [InlineData(BlockOperation.In, ImageBytes / 512 - 7, 8)]
    [InlineData(BlockOperation.Out, ImageBytes / 512, 8)]
    [InlineData(BlockOperation.In, ulong.MaxValue, 8)]
    [InlineData(BlockOperation.Discard, ImageBytes / 512 - 1, 2)]
    [InlineData(BlockOperation.WriteZeroes, 0, uint.MaxValue)]
    public async Task What_is_not_on_the_disk_is_an_error_and_changes_nothing(BlockOperation operation, ulong sector, uint sectors)
    {
        var client = await ServeAsync(ImageMode.Durable);
        client.Start(1);
        Assert.Equal(BlockStatus.IoError, client.Do(operation, sector, sectors, operation == BlockOperation.Out ? Bytes(sectors) : null).Status);
        Assert.Equal(ImageBytes, new FileInfo(_path).Length);
    }

    [Fact]
    public async Task An_operation_that_there_is_not_is_unsupported()
    {
        var client = await ServeAsync(ImageMode.Durable);
        client.Start(1);
        Assert.Equal(BlockStatus.Unsupported, client.Do((BlockOperation)99, 0, 8).Status);
    }

    [Fact]
    public async Task A_request_with_too_few_bytes_is_an_error()
    {
        var client = await ServeAsync(ImageMode.Durable);
        client.Start(1);
        Assert.Equal(BlockStatus.IoError, client.Do(BlockOperation.Out, 0, 8, Bytes(7)).Status);
        client.Put(new byte[5]); // no message at all is ignored
        Assert.Equal(BlockStatus.Ok, client.Do(BlockOperation.In, 0, 8).Status);
    }

    [Fact]
    public async Task A_read_only_disk_is_not_written()
    {
        var client = await ServeAsync(ImageMode.ReadOnly);
        Assert.Equal(BlockAnnouncementFlags.ReadOnly, client.Start(1).Flags);
        Assert.Equal(BlockStatus.IoError, client.Do(BlockOperation.Out, 0, 8, Bytes(8)).Status);
        Assert.Equal(BlockStatus.IoError, client.Do(BlockOperation.WriteZeroes, 0, 8).Status);
        Assert.Equal(BlockStatus.Ok, client.Do(BlockOperation.In, 0, 8).Status);
    }

    [Fact] // 6
    public async Task A_cached_disk_names_its_cache_and_flushes()
    {
        var client = await ServeAsync(ImageMode.Cached);
        var first = client.Start(1);
        Assert.True(first.Flags.HasFlag(BlockAnnouncementFlags.Cached));
        Assert.NotEqual(0ul, first.Cache);
        Assert.Equal(BlockStatus.Ok, client.Do(BlockOperation.Flush, 0, 0).Status);
        Assert.Equal(BlockStatus.Ok, client.Do(BlockOperation.Out, 0, 8, Bytes(8), BlockServingRequest.Durable).Status);
        Assert.Equal(first.Cache, client.Start(2).Cache);
    }

    [Fact] // 4
    public async Task Requests_of_an_earlier_epoch_are_not_done()
    {
        var client = await ServeAsync(ImageMode.Durable);
        client.Start(1);
        client.Start(2);
        byte[] data = Bytes(8);
        byte[] message = new byte[BlockServingRequest.Bytes + data.Length];
        new BlockServingRequest(new BlockTag(1, 0, 0, 0, 0, 0), BlockOperation.Out, 0, 0, 8).Write(message);
        data.CopyTo(message, BlockServingRequest.Bytes);
        client.Put(message);
        Assert.All(client.Do(BlockOperation.In, 0, 8).Data, b => Assert.Equal(0, b));
    }

    [Fact] // 4: "ends or abandons all that it does for earlier epochs, so that nothing of it can reach the medium afterwards"
    public async Task After_the_announcement_nothing_of_the_epoch_before_reaches_the_medium()
    {
        var client = await ServeAsync(ImageMode.Durable);
        client.Start(1);
        for (uint epoch = 2; epoch < 20; epoch++)
        {
            for (int i = 0; i < 30; i++)
                client.Send(BlockOperation.Out, 0, 1024, [.. Enumerable.Repeat((byte)epoch, 1024 * 512)]);
            client.Start(epoch);
            File.WriteAllBytes(_path, new byte[ImageBytes]); // the same file, written anew
            Assert.All(client.Do(BlockOperation.In, 0, 1024).Data, b => Assert.Equal(0, b));
        }
    }

    [Fact] // 8
    public async Task A_switch_of_a_later_version_is_told_that_it_is_not_spoken()
    {
        var client = await ServeAsync(ImageMode.Durable);
        Assert.Equal(0u, client.Start(1, 2, 3).Version);
        Assert.Equal(1u, client.Start(2, 1, 3).Version);
    }

    [Fact] // 3: "The same message again, with the current epoch, tells a change at run time"
    public async Task A_file_that_grows_is_announced_anew()
    {
        var client = await ServeAsync(ImageMode.Durable);
        client.Start(1);
        using (var file = File.OpenWrite(_path))
            file.SetLength(ImageBytes * 2);
        Assert.Equal((ulong)ImageBytes * 2 / 512, client.Announcement().Capacity);
        Assert.Equal(BlockStatus.Ok, client.Do(BlockOperation.Out, ImageBytes / 512, 8, Bytes(8)).Status);
    }

    [Fact]
    public async Task A_file_that_is_cut_short_is_an_error_and_is_told()
    {
        var client = await ServeAsync(ImageMode.Durable);
        client.Start(1);
        using (var file = File.OpenWrite(_path))
            file.SetLength(4096);
        Assert.Equal(BlockStatus.IoError, client.Do(BlockOperation.In, 8, 8).Status);
        Wait.Until(() => _guest.Log.ToString().Contains("shrunk", StringComparison.Ordinal), "it says that the image has shrunk");
    }

    [Fact]
    public async Task A_device_that_is_lost_is_served_again_when_it_returns()
    {
        var client = await ServeAsync(ImageMode.Durable, out var first);
        client.Start(1);
        byte[] data = Bytes(8);
        Assert.Equal(BlockStatus.Ok, client.Do(BlockOperation.Out, 0, 8, data).Status);
        client.Send(BlockOperation.Out, 16, 8, data);
        (await first).Lose();
        var again = new FakeSwitch(await _guest.DeviceAsync());
        again.Start(2);
        Assert.Equal(data, again.Do(BlockOperation.In, 0, 8).Data);
    }

    private static byte[] Bytes(uint sectors)
    {
        byte[] bytes = new byte[sectors * 512];
        new Random((int)sectors).NextBytes(bytes);
        return bytes;
    }

    private long AllocatedBytes()
    {
        using var stat = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%b", _path]) { RedirectStandardOutput = true })!;
        return long.Parse(stat.StandardOutput.ReadToEnd()) * 512;
    }

    private Task<FakeSwitch> ServeAsync(ImageMode mode) => ServeAsync(mode, out _);

    private Task<FakeSwitch> ServeAsync(ImageMode mode, out Task<FakeDevice> device)
    {
        _image = ImageFile.Open(_path, mode);
        var log = new AgentLog(_guest.Log);
        _role = new ServeBlockRole(new ServeBlockOptions(), new Disk(_image, _path, log), TimeProvider.System, log);
        _guest.Run(_role);
        var opened = _guest.DeviceAsync();
        device = opened;
        return Connect();

        async Task<FakeSwitch> Connect() => new(await opened);
    }
}
