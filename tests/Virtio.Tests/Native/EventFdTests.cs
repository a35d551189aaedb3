using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Native;

public class EventFdTests
{
    [Fact]
    public void SignalsAreCountedAndDrained()
    {
        using var bell = EventFd.Create();
        Assert.Equal(0UL, bell.Drain());
        bell.Signal();
        bell.Signal();
        Assert.Equal(2UL, bell.Drain());
        Assert.Equal(0UL, bell.Drain());
    }

    [Fact]
    public void FullCounterDoesNotBlockSignal()
    {
        using var bell = EventFd.Create();
        Assert.Equal(8, Fds.Write(bell.Descriptor, ulong.MaxValue - 1));
        bell.Signal();
        Assert.Equal(ulong.MaxValue - 1, bell.Drain());
    }

    /// <summary>A hostile front-end's eventfd may be full and blocking: neither must hold up the switch.</summary>
    [Fact]
    public async Task AdoptedBlockingEventFdBecomesNonBlocking()
    {
        var raw = Fds.RawEventFd(0, Libc.EFD_CLOEXEC);
        Fds.Write(raw, ulong.MaxValue - 1);
        using var bell = EventFd.TryAdopt(raw);
        Assert.NotNull(bell);
        await Task.Run(bell.Signal).WaitAsync(Waiting.Patience);
        bell.Drain();
        await Task.Run(bell.Drain).WaitAsync(Waiting.Patience);
    }

    /// <summary>
    /// O_NONBLOCK belongs to the open file, which the front-end shares: it can clear it at any time, and fill the count. A
    /// plain write then waits, as the first half shows.
    /// </summary>
    [Fact]
    public void FrontEndThatClearsNonBlockingCannotMakeUsWait()
    {
        Assert.True(KernelSignal.IsAvailable);
        using var theirs = Fds.RawEventFd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);
        using var ours = EventFd.TryAdopt(theirs.Duplicate())!;
        Fds.Write(theirs, ulong.MaxValue - 1);
        Assert.Equal(0, Libc.fcntl(theirs.Number, Libc.F_SETFL, 0));

        int writer = 0;
        var blocked = new Thread(() =>
        {
            Volatile.Write(ref writer, Fds.ThreadId());
            Fds.Write(theirs, 1);
        });
        blocked.Start();
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref writer) != 0 && Fds.IsAsleep(writer), Waiting.Patience));

        var ringing = new Thread(ours.Signal);
        ringing.Start();
        Assert.True(ringing.Join(Waiting.Patience), "ringing waits for a full count");
        Assert.True(blocked.IsAlive, "the count was not full");
        using var reader = EventFd.TryAdopt(theirs.Duplicate())!;
        reader.Drain();
        Assert.True(blocked.Join(Waiting.Patience));
    }

    [Fact]
    public void EveryRingOfAForeignEventFdArrives()
    {
        const int threads = 4, rings = 5000;
        using var theirs = Fds.RawEventFd(0, Libc.EFD_CLOEXEC);
        using var ours = EventFd.TryAdopt(theirs.Duplicate())!;
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ =>
        {
            for (int i = 0; i < rings; i++)
                ours.Signal();
        });
        Assert.Equal(threads * rings, (int)ours.Drain());
    }

    [Fact]
    public void RingWakesWhoWaits()
    {
        using var theirs = Fds.RawEventFd(0, Libc.EFD_CLOEXEC);
        using var ours = EventFd.TryAdopt(theirs.Duplicate())!;
        using var waiting = new Waiting(theirs);
        var ringing = new Thread(ours.Signal);
        ringing.Start();
        waiting.ForReadable("a ring");
        ringing.Join();
    }

    public static TheoryData<string> OtherKinds => [.. Kinds.Keys];

    private static readonly Dictionary<string, Func<string, FileDescriptor>> Kinds = new()
    {
        ["pipe"] = _ => Fds.Pipe().Write,
        ["regular file"] = path => Fds.Open(path, Fds.ReadWrite | Fds.Create),
        ["file with an eventfd's name"] = path => Fds.Open(Path.Combine(Path.GetDirectoryName(path)!, "anon_inode:[eventfd]"), Fds.ReadWrite | Fds.Create),
        ["directory"] = path => Fds.Open(Path.GetDirectoryName(path)!, Fds.ReadOnly | Fds.Directory),
        ["memfd"] = _ => MemFd.Create("anon_inode:[eventfd]", 4096),
        ["socket"] = _ => UnixSocket.Pair().First,
        ["device"] = _ => Fds.Open("/dev/zero", Fds.ReadWrite),
        ["epoll"] = _ => new FileDescriptor(Libc.epoll_create1(Libc.EPOLL_CLOEXEC)),
    };

    [Theory, MemberData(nameof(OtherKinds))]
    public void AnythingElseIsLeftToTheCaller(string kind)
    {
        using var directory = new TempDirectory();
        using var fd = Kinds[kind](directory.File("f"));
        Assert.Null(EventFd.TryAdopt(fd));
        Assert.True(Fds.IsOpen(fd.Number), "the caller's descriptor was closed");
    }

    [Fact]
    public void ClosedDescriptorIsNoEventFd()
    {
        var fd = Fds.RawEventFd(0, 0);
        fd.Dispose();
        Assert.Null(EventFd.TryAdopt(fd));
    }

    [Fact]
    public void AdoptingTakesTheDescriptorOver()
    {
        var raw = Fds.RawEventFd(0, 0);
        int number = raw.Number;
        EventFd.TryAdopt(raw)!.Dispose();
        Assert.True(raw.IsClosed);
        Assert.False(Fds.IsOpen(number));
    }

    /// <summary>The number of a closed descriptor is soon another guest's.</summary>
    [Fact]
    public void SignalAfterDisposeDoesNotReachTheNextOwnerOfTheNumber()
    {
        var gone = EventFd.Create();
        int number = gone.Descriptor.Number;
        gone.Dispose();
        var bells = Enumerable.Range(0, 64).Select(_ => EventFd.Create()).ToList();
        var heir = bells.SingleOrDefault(b => b.Descriptor.Number == number);
        gone.Signal();
        ulong heard = heir?.Drain() ?? 0;
        bells.ForEach(b => b.Dispose());
        Assert.Equal(0UL, heard);
    }
}
