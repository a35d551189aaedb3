using System.Runtime.InteropServices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.VhostUser;

/// <summary>The front-end against the back-end's session in another thread, and against back-ends that misbehave.</summary>
public sealed class FrontEndTests : IDisposable
{
    private readonly FileDescriptor _theirs;
    private readonly FrontEnd _frontEnd;
    private readonly RecordingBackEnd _device = new();
    private Task<SessionState> _session = Task.FromResult(SessionState.Closed);

    public FrontEndTests()
    {
        (var ours, _theirs) = UnixSocket.Pair();
        _frontEnd = FrontEnd.Over(ours, Waiting.Patience);
    }

    public void Dispose()
    {
        _frontEnd.Dispose();
        _session.GetAwaiter().GetResult();
        _theirs.Dispose();
        _device.Dispose();
    }

    private void Serve() => _session = Task.Factory.StartNew(
        () =>
        {
            using var session = new BackEndSession(new MessageChannel(_theirs), _device);
            using var waiting = new Waiting(_theirs);
            for (var state = SessionState.Open; ; state = session.Process(8))
            {
                if (state != SessionState.Open)
                    return state;
                waiting.ForReadable("a message");
            }
        },
        TaskCreationOptions.LongRunning);

    [Fact]
    public async Task WholeLifeOfARing()
    {
        Serve();
        using var memory = new DriverMemory(1 << 16, 0x1000);
        var driver = DriverQueue.Create(memory, 8, 0);
        using EventFd kick = EventFd.Create(), call = EventFd.Create();

        Assert.Equal(RecordingBackEnd.OfferedFeatures, _frontEnd.Get(RequestCode.GetFeatures));
        Assert.False(_frontEnd.Acknowledged);
        _frontEnd.Set(RequestCode.SetProtocolFeatures, RecordingBackEnd.OfferedProtocol);
        Assert.True(_frontEnd.Acknowledged);
        Assert.Equal(509UL, _frontEnd.Get(RequestCode.GetMaxMemorySlots));
        _frontEnd.Do(RequestCode.SetOwner, []);
        _frontEnd.Set(RequestCode.SetFeatures, 0x1_0000_0000);
        _frontEnd.SetMemoryTable((memory.Layout, memory.File));
        _frontEnd.SetVring(RequestCode.SetVringNum, 1, 8);
        _frontEnd.SetVring(RequestCode.SetVringBase, 1, 3);
        _frontEnd.SetVringAddress(1, driver.Layout);
        _frontEnd.Set(RequestCode.SetVringCall, 1, call.Descriptor);
        _frontEnd.Set(RequestCode.SetVringKick, 1, kick.Descriptor);
        Assert.Equal("", _device.Rings[1].Problem);
        _frontEnd.SetVring(RequestCode.SetVringEnable, 1, 1);
        Assert.True(_device.Rings[1].Enabled);
        Assert.Equal(3u, _frontEnd.StopVring(1));
        Assert.Null(_device.Rings[1].Kick);
        _frontEnd.ChangeMemory(RequestCode.RemoveMemoryRegion, memory.Layout);
        Assert.Equal(0, _device.Memory.RegionCount);
        _frontEnd.ChangeMemory(RequestCode.AddMemoryRegion, memory.Layout, memory.File);
        Assert.Equal([memory.Layout], _device.Memory.Layout);
        _frontEnd.Dispose();
        Assert.Equal(SessionState.Closed, await _session);
    }

    [Fact]
    public void RefusalIsAnExceptionAndTheConnectionGoesOn()
    {
        Serve();
        _frontEnd.Set(RequestCode.SetProtocolFeatures, ProtocolFeatures.ReplyAck);
        _device.Refusing.Add("SetFeatures");
        Assert.Contains("SetFeatures", Assert.Throws<IOException>(() => _frontEnd.Set(RequestCode.SetFeatures, 1)).Message, StringComparison.Ordinal);
        Assert.Equal(RecordingBackEnd.Queues, _frontEnd.Get(RequestCode.GetQueueNum));
    }

    [Fact]
    public void BackEndThatClosesIsAnException()
    {
        _theirs.Dispose();
        Assert.Throws<IOException>(() => _frontEnd.Get(RequestCode.GetFeatures));
        Assert.Throws<IOException>(() => _frontEnd.Set(RequestCode.SetFeatures, 1));
    }

    [Fact]
    public void BackEndThatDoesNotAnswerIsAnException()
    {
        var (ours, theirs) = UnixSocket.Pair();
        using (theirs)
        {
            using var frontEnd = FrontEnd.Over(ours, TimeSpan.FromMilliseconds(20));
            Assert.Contains("did not answer", Assert.Throws<IOException>(() => frontEnd.Get(RequestCode.GetFeatures)).Message, StringComparison.Ordinal);
        }
    }

    public static TheoryData<byte[]> WrongReplies =>
    [
        RawPeer.Message(2, 5, RawPeer.U64(0)), // of another request
        RawPeer.Message(1, 1, RawPeer.U64(0)), // not a reply
        RawPeer.Message(1, 5, RawPeer.U32s(0)), // too short
        RawPeer.Message(1, 6, RawPeer.U64(0)), // version 2
        RawPeer.U32s(1, 5, 5000),
    ];

    [Theory, MemberData(nameof(WrongReplies))]
    public void WrongReplyIsAnException(byte[] reply)
    {
        using var peer = new RawPeer(_theirs);
        peer.Send(reply);
        Assert.Throws<IOException>(() => _frontEnd.Get(RequestCode.GetFeatures));
    }

    /// <summary>epoll_wait returns early for any signal, and a runtime has signals of its own.</summary>
    [Fact]
    public async Task SignalIsNotTheEndOfPatience()
    {
        const int SIGCONT = 18;
        using var handler = PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => { });
        using var peer = new RawPeer(_theirs);
        int thread = 0;
        var asking = Task.Factory.StartNew(
            () =>
            {
                Volatile.Write(ref thread, Fds.ThreadId());
                return _frontEnd.Get(RequestCode.GetFeatures);
            },
            TaskCreationOptions.LongRunning);
        while (peer.ReadAll().Length == 0)
            await Task.Yield();
        for (int i = 0; i < 5 && !asking.IsCompleted; i++)
        {
            while (!Fds.IsAsleep(thread) && !asking.IsCompleted)
                await Task.Yield();
            Fds.Interrupt(thread, SIGCONT);
        }
        peer.Send(RawPeer.Message(1, 5, RawPeer.U64(42)));
        Assert.Equal(42UL, await asking);
    }

    [Fact]
    public void ConnectToNobodyIsAnException()
    {
        using var directory = new TempDirectory();
        Assert.Throws<NativeException>(() => FrontEnd.Connect(directory.File("s"), Waiting.Patience));
    }
}
