using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Native;

public sealed class AsyncImageTests : IDisposable
{
    private const int Blocks = 32, BlockBytes = 4096;

    private readonly TempDirectory _directory = new();
    private readonly DriverMemory _memory = new((Blocks + 1) * BlockBytes, 1 << 20);
    private readonly string _path;
    private readonly ImageFile _image;

    public AsyncImageTests()
    {
        _path = _directory.File("image");
        File.WriteAllBytes(_path, [.. Enumerable.Range(0, Blocks * BlockBytes).Select(i => (byte)(i / BlockBytes + i))]);
        _image = ImageFile.Open(_path, ImageMode.Durable);
    }

    public void Dispose()
    {
        _image.Dispose();
        _memory.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void WhatIsReadAndWrittenIsWhereItBelongs()
    {
        using var async = AsyncImage.TryCreate(_image, Blocks);
        if (async == null)
        {
            Assert.False(_image.IsDirect, "this system has direct I/O, and no asynchronous one");
            return;
        }
        byte[] before = File.ReadAllBytes(_path);
        for (int i = 0; i < Blocks; i++)
        {
            if (i % 2 == 0)
                Room(i).Fill((byte)(200 - i));
            async.Add(i, writes: i % 2 == 0, Room(i), i * BlockBytes);
        }
        async.Submit(number => Assert.Fail($"{number} was not taken"));
        Assert.Equal(Enumerable.Range(0, Blocks).Select(i => new ImageCompletion(i, BlockBytes)), Wait(async, Blocks).OrderBy(c => c.Number));
        byte[] after = File.ReadAllBytes(_path);
        for (int i = 0; i < Blocks; i++)
        {
            var block = (i * BlockBytes)..((i + 1) * BlockBytes);
            Assert.Equal(i % 2 == 0 ? Enumerable.Repeat((byte)(200 - i), BlockBytes) : before[block], after[block]);
            Assert.Equal(after[block], Room(i).ToArray());
        }
    }

    [Fact]
    public void WhatIsBehindTheEndIsShortAndWhatIsNotAlignedIsRefused()
    {
        using var async = AsyncImage.TryCreate(_image, 4);
        if (async == null)
            return; // as above
        async.Add(3, writes: false, Room(0), Blocks * BlockBytes);
        async.Add(1, writes: false, _memory.At((1 << 20) + 1, BlockBytes), 0);
        async.Add(2, writes: false, Room(1), 0);
        var refused = new List<int>();
        async.Submit(refused.Add);
        var results = Wait(async, 3 - refused.Count).ToDictionary(c => c.Number, c => c.Result);
        Assert.Equal((0L, (long)BlockBytes), (results[3], results[2]));
        if (refused.Count == 0)
            Assert.Equal(-22, results[1]); // EINVAL
        else
            Assert.Equal([1], refused);
    }

    [Fact]
    public async Task AWaitCanBeEnded()
    {
        using var image = AsyncImage.TryCreate(_image, 1);
        if (image == null)
            return; // as above
        var waiting = Task.Run(() => image.Wait(new ImageCompletion[1]));
        image.Wake();
        Assert.Equal(0, await waiting.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void ThroughThePageCacheThereIsNone()
    {
        using var cached = ImageFile.Open(_path, ImageMode.Cached);
        Assert.Null(AsyncImage.TryCreate(cached, 1));
    }

    private Span<byte> Room(int block) => _memory.At((1 << 20) + (ulong)(block * BlockBytes), BlockBytes);

    private static List<ImageCompletion> Wait(AsyncImage async, int count)
    {
        var all = new List<ImageCompletion>();
        var some = new ImageCompletion[8];
        while (all.Count < count)
            all.AddRange(some[..async.Wait(some)]);
        return all;
    }
}
