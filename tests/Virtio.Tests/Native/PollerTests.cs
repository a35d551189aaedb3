using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Native;

public sealed class PollerTests : IDisposable
{
    private readonly Poller _poller = new();
    private readonly EventFd _bell = EventFd.Create();
    private readonly PollEvent[] _ready = new PollEvent[128];

    public void Dispose()
    {
        _poller.Dispose();
        _bell.Dispose();
    }

    private ulong[] Look() => [.. _ready.Take(_poller.Wait(_ready, 0)).Select(e => e.Token)];

    [Theory]
    [InlineData(0UL)]
    [InlineData(0x1234_5678_9abc_def0UL)]
    [InlineData(ulong.MaxValue)]
    public void EventsCarryTheWholeToken(ulong token)
    {
        _poller.Add(_bell.Descriptor, PollInterest.Readable, token);
        Assert.Empty(Look());
        _bell.Signal();
        Assert.Equal([token], Look());
        Assert.True(_ready[0].IsReadable);
    }

    [Fact]
    public void LevelEventLastsUntilDrained()
    {
        _poller.Add(_bell.Descriptor, PollInterest.Readable, 1);
        _bell.Signal();
        Assert.Single(Look());
        Assert.Single(Look());
        _bell.Drain();
        Assert.Empty(Look());
    }

    [Fact]
    public void EdgeTellsEachSignalOnceWithoutDrain()
    {
        _poller.Add(_bell.Descriptor, PollInterest.Readable | PollInterest.Edge, 7);
        for (int i = 0; i < 1000; i++)
        {
            _bell.Signal();
            Assert.Equal([7UL], Look());
            Assert.Empty(Look());
        }
        Assert.Equal(1000UL, _bell.Drain());
    }

    /// <summary>A kick from before we watched must not be lost.</summary>
    [Fact]
    public void SignalBeforeAddIsTold()
    {
        _bell.Signal();
        _poller.Add(_bell.Descriptor, PollInterest.Readable | PollInterest.Edge, 3);
        Assert.Equal([3UL], Look());
    }

    [Fact]
    public void ModifyChangesInterestAndToken()
    {
        _poller.Add(_bell.Descriptor, PollInterest.None, 1);
        _bell.Signal();
        Assert.Empty(Look());
        _poller.Modify(_bell.Descriptor, PollInterest.Readable, 2);
        Assert.Equal([2UL], Look());
        _poller.Modify(_bell.Descriptor, PollInterest.Writable, 3);
        Assert.Equal([3UL], Look());
        Assert.False(_ready[0].IsReadable);
    }

    [Fact]
    public void RemovedIsSilentAndRemovingTwiceIsNoError()
    {
        _poller.Add(_bell.Descriptor, PollInterest.Readable, 1);
        _bell.Signal();
        _poller.Remove(_bell.Descriptor);
        Assert.Empty(Look());
        _poller.Remove(_bell.Descriptor);
    }

    [Fact]
    public void AddingTwiceOrModifyingAStrangerThrows()
    {
        Assert.Throws<NativeException>(() => _poller.Modify(_bell.Descriptor, PollInterest.Readable, 1));
        _poller.Add(_bell.Descriptor, PollInterest.Readable, 1);
        Assert.Throws<NativeException>(() => _poller.Add(_bell.Descriptor, PollInterest.Readable, 1));
    }

    [Fact]
    public void HangUpIsReadableAndToldWithoutInterest()
    {
        var (ours, theirs) = UnixSocket.Pair();
        using (ours)
        {
            _poller.Add(ours, PollInterest.None, 5);
            theirs.Dispose();
            Assert.Equal([5UL], Look());
            Assert.True(_ready[0].IsReadable);
        }
    }

    [Fact]
    public void MoreEventsThanRoomComeRoundInTurn()
    {
        var bells = Enumerable.Range(0, 100).Select(_ => EventFd.Create()).ToList();
        for (int i = 0; i < bells.Count; i++)
        {
            _poller.Add(bells[i].Descriptor, PollInterest.Readable | PollInterest.Edge, (ulong)i);
            bells[i].Signal();
        }
        var seen = new List<ulong>();
        for (var now = Look(); now.Length > 0; now = Look())
            seen.AddRange(now);
        bells.ForEach(b => b.Dispose());
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (ulong)i), seen.Order());
    }

    [Fact]
    public async Task WaitsForASignalFromAnotherThread()
    {
        _poller.Add(_bell.Descriptor, PollInterest.Readable, 9);
        var ringer = Task.Run(_bell.Signal);
        using var waiting = new Waiting(_bell.Descriptor);
        waiting.ForReadable("a signal from another thread");
        Assert.Equal([9UL], Look());
        await ringer;
    }
}
