using Grpc.Core;
using InterGuest.Protos.V1;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Captures as their clients see them, over a real socket, of guests that run.</summary>
public sealed class CaptureTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private RunningApplication _switch = null!;
    private TestGuest _a = null!;
    private TestGuest _b = null!;

    public async Task InitializeAsync()
    {
        _switch = await RunningApplication.StartAsync(RunningApplication.OptionsIn(_directory));
        await _switch.Client.CreatePortAsync(new() { Name = "a" });
        await _switch.Client.CreatePortAsync(new() { Name = "b" });
        await _switch.Client.CreateLinkAsync(new() { Name = "l", Ports = { "a", "b" } });
        _a = TestGuest.Run(_directory.At("ports/a.sock"));
        _b = TestGuest.Run(_directory.At("ports/b.sock"));
    }

    public async Task DisposeAsync() => await _switch.DisposeAsync();

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task BothDirectionsAreShownByteForByte()
    {
        using var capture = await StartAsync(new() { Link = "l" });
        Exchange.OneWay(_a, _b, 3);
        Exchange.OneWay(_b, _a, 2, 1000);
        var frames = await ReadAsync(capture, 5);
        Assert.Equal([0u, 0, 0, 1, 1], frames.Select(f => f.Direction));
        for (int i = 0; i < 5; i++)
            Assert.Equal(i < 3 ? Frames.Numbered(i, 200) : Frames.Numbered(i - 3, 1000), frames[i].Data.ToByteArray());
        Assert.All(frames, f => Assert.Equal(("", f.Length), (f.DropReason, (uint)f.Data.Length)));
        Assert.Equal(frames.Select(f => f.Time).Order(), frames.Select(f => f.Time));
    }

    [Fact]
    public async Task ACaptureSeesTheDropsOfALinkThatIsDown()
    {
        using var capture = await StartAsync(new() { Link = "l" });
        await _switch.Client.SetLinkUpAsync(new() { Name = "l", Up = false });
        Exchange.ToNowhere(_a, 2);
        await _switch.Client.SetLinkUpAsync(new() { Name = "l", Up = true });
        Exchange.OneWay(_a, _b, 1);
        Assert.Equal(["link_down", "link_down", ""], (await ReadAsync(capture, 3)).Select(f => f.DropReason));
    }

    [Fact]
    public async Task ACaptureEndsByItsCount()
    {
        using var capture = await StartAsync(new() { Link = "l", Count = 2, SnapLength = 20 });
        Exchange.OneWay(_a, _b, 5);
        var frames = await ReadAsync(capture, 2);
        Assert.All(frames, f => Assert.Equal((200u, 20), (f.Length, f.Data.Length)));
        Assert.False(await Wait.ForAsync(capture.ResponseStream.MoveNext(default), "the end"));
    }

    [Fact]
    public async Task OnlyWhatTheFilterWantsIsShown()
    {
        using var capture = await StartAsync(new() { Link = "l", Filter = "arp" });
        byte[] arp = Frames.Numbered(1, 60);
        (arp[12], arp[13]) = (0x08, 0x06);
        Exchange.OneWay(_a, _b, 3);
        _a.Send(arp);
        _b.ReceiveFrame();
        Assert.Equal(arp, (await ReadAsync(capture, 1))[0].Data.ToByteArray());
    }

    [Fact]
    public async Task SeveralMayLookAtOnceAndTheRestIsUndisturbed()
    {
        using var first = await StartAsync(new() { Link = "l" });
        using (var second = await StartAsync(new() { Link = "l" }))
        {
            Exchange.OneWay(_a, _b, 1);
            Assert.Single(await ReadAsync(second, 1));
        }
        Exchange.OneWay(_a, _b, 1);
        Assert.Equal(2, (await ReadAsync(first, 2)).Count);
    }

    [Fact]
    public async Task TooManyAreRefused()
    {
        var all = new List<AsyncServerStreamingCall<CaptureBatch>>();
        for (int i = 0; i < 8; i++)
            all.Add(await StartAsync(new() { Link = "l" }));
        await FailsAsync(StatusCode.FailedPrecondition, "End one of them", new() { Link = "l" });
        all.ForEach(c => c.Dispose());
    }

    [Fact]
    public Task ALinkThatThereIsNotIsNotFound() => FailsAsync(StatusCode.NotFound, "no link x", new() { Link = "x" });

    [Fact]
    public Task AFilterThatIsNoneIsTheClientsFault() => FailsAsync(StatusCode.InvalidArgument, "filter: at 'nonsense'", new() { Link = "l", Filter = "nonsense" });

    [Fact]
    public async Task ACaptureEndsWithItsLink()
    {
        using var capture = await StartAsync(new() { Link = "l" });
        Exchange.OneWay(_a, _b, 1);
        await _switch.Client.DeleteLinkAsync(new() { Name = "l" });
        Assert.Single(await ReadAsync(capture, 1));
        var error = await Assert.ThrowsAsync<RpcException>(() => capture.ResponseStream.MoveNext(default));
        Assert.Equal((StatusCode.Aborted, "link l was removed"), (error.StatusCode, error.Status.Detail));
    }

    /// <summary>A reader that does not read loses frames of its capture, and no guest loses any.</summary>
    [Fact]
    public async Task ASlowReaderShedsAndTheLinkLosesNothing()
    {
        using var capture = await StartAsync(new() { Link = "l" });
        // More than all that lies between us: the ring, and what the transport takes from it.
        const int Sent = 20_000, Size = 1500;
        for (int i = 0; i < Sent; i++)
        {
            _a.Transmit().Send(default, Frames.Numbered(i, Size));
            Assert.Equal(i, Frames.NumberOf(_b.ReceiveFrame()));
            _a.Transmit().NextUsed();
        }
        var link = await _switch.Client.GetLinkAsync(new() { Name = "l" });
        Assert.Equal((Sent, 0), ((int)link.Directions[0].Frames, link.Directions[0].Drops.Count));
        // Now it reads. Every frame is there or was counted.
        ulong seen = 0, shed = 0;
        int last = -1;
        while (seen + shed < Sent && await Wait.ForAsync(capture.ResponseStream.MoveNext(default), "the next frames"))
        {
            var batch = capture.ResponseStream.Current;
            foreach (var frame in batch.Frames)
            {
                int number = Frames.NumberOf(frame.Data.ToByteArray());
                Assert.True(number > last);
                last = number;
            }
            (seen, shed) = (seen + (ulong)batch.Frames.Count, batch.Shed);
        }
        Assert.Equal((ulong)Sent, seen + shed);
        Assert.True(shed > 0, "nothing was shed: the test sends too little");
    }

    private async Task<AsyncServerStreamingCall<CaptureBatch>> StartAsync(CaptureRequest request)
    {
        var capture = _switch.Client.Capture(request);
        Assert.True(await Wait.ForAsync(capture.ResponseStream.MoveNext(default), "the capture begins"));
        Assert.Equal(["a", "b"], capture.ResponseStream.Current.Start.Ports);
        return capture;
    }

    private static async Task<List<CapturedFrame>> ReadAsync(AsyncServerStreamingCall<CaptureBatch> capture, int count)
    {
        var frames = new List<CapturedFrame>();
        while (frames.Count < count && await Wait.ForAsync(capture.ResponseStream.MoveNext(default), "the next frames"))
            frames.AddRange(capture.ResponseStream.Current.Frames);
        return frames;
    }

    private async Task FailsAsync(StatusCode code, string text, CaptureRequest request)
    {
        using var capture = _switch.Client.Capture(request);
        var error = await Assert.ThrowsAsync<RpcException>(() => capture.ResponseStream.MoveNext(default));
        Assert.Equal((code, true), (error.StatusCode, error.Status.Detail.Contains(text, StringComparison.Ordinal)));
    }
}
