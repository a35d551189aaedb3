using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>
/// The log of dirty pages of a live migration (vhost-user, "Migration"): every page that we write is in it, and no other. Between
/// two looks at a guest's memory nobody writes to it but the switch, so what differs is what it wrote.
/// </summary>
public sealed class DirtyLogTests : IDisposable
{
    private const int Page = 4096;
    // Frames that nobody was kicked for stay where they are, until somebody is.
    private readonly TestSwitch _switch = new(busyPoll: TimeSpan.Zero);
    private readonly FileDescriptor _file = MemFd.Create("log", 1 << 20);
    private readonly DriverMemory _bitmap;

    public DirtyLogTests() => _bitmap = new DriverMemory(_file.Duplicate(), 1 << 20, 0);

    public void Dispose()
    {
        _switch.Dispose();
        _bitmap.Dispose();
        _file.Dispose();
    }

    public static TheoryData<ulong> Kinds =>
    [
        0,
        Features.RingEventIndex,
        Features.NetMergeableBuffers,
        Features.RingPacked,
        Features.RingPacked | Features.RingEventIndex | Features.NetMergeableBuffers,
    ];

    [Theory, MemberData(nameof(Kinds))]
    public void ExactlyThePagesThatAreWrittenAreLogged(ulong features)
    {
        var (a, b) = _switch.Join(new() { Features = TestGuest.PlainFeatures | features, ReceiveBufferBytes = 9000 });
        using var _ = a;
        using var __ = b;
        Exchange.BothWays(a, b);
        StartLog(a);
        for (int round = 0; round < 5; round++)
        {
            var before = Look(a);
            for (int i = 0; i <= round; i++)
                b.Send(Frames.Numbered(i, 100 + 2000 * round));
            for (int i = 0; i <= round; i++)
                b.Transmit().NextUsed();
            AssertLogged(a, before, received: true);
            for (int i = 0; i <= round; i++)
                a.ReceiveFrame();

            AddWithoutKick(a, 3);
            before = Look(a);
            a.Transmit().Kick.Signal();
            for (int i = 0; i < 3; i++)
                b.ReceiveFrame();
            AssertLogged(a, before, received: false);
            for (int i = 0; i < 3; i++)
                a.Transmit().NextUsed();
        }
        Assert.Equal(0ul, _switch.Port("a").Counters.LogOutOfRange);
        Assert.Contains("VHOST_F_LOG_ALL", _switch.Port("a").AcceptedFeatures);
    }

    /// <summary>One that is too short for the guest's addresses: counted, nothing beyond it touched.</summary>
    [Fact]
    public void ALogThatIsTooSmallIsCounted()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        StartLog(a, size: 16);
        Exchange.BothWays(a, b);
        Assert.NotEqual(0ul, _switch.Port("a").Counters.LogOutOfRange);
        Assert.Empty(Marked());
        a.FrontEnd.Dispose();
        Assert.NotEqual(0ul, _switch.PortIn(Protos.V1.PortState.Listening, "a").Counters.LogOutOfRange); // not forgotten
    }

    /// <summary>The migration failed: QEMU takes the flags back, and the log is left alone.</summary>
    [Fact]
    public void ALogThatIsSwitchedOffIsLeftAlone()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        StartLog(a);
        a.FrontEnd.Set(RequestCode.SetFeatures, a.Features);
        foreach (var queue in new[] { a.Receive(), a.Transmit() })
            a.FrontEnd.SetVringAddress(queue.Ring, queue.Driver.Layout);
        Clear();
        Exchange.BothWays(a, b);
        Assert.Empty(Marked());
    }

    [Fact]
    public void TheLogMayBeReplacedWhileFramesFlow()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        for (int i = 0; i < 20; i++)
        {
            StartLog(a);
            Clear();
            Exchange.BothWays(a, b);
            Assert.NotEmpty(Marked());
        }
    }

    /// <summary>rust-vmm/vhost#217, #342 (bug 16 of docs/front-ends.md): exactly one answer, a u64, whether or not one was asked for.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Bug_16_The_answer_to_a_log_is_not_what_the_front_end_waits_for(bool acknowledged)
    {
        using var front = FrontEnd.Connect(_switch.AddPort("a"), TestGuest.Patience);
        front.Set(RequestCode.SetProtocolFeatures, ProtocolFeatures.LogSharedMemory | (acknowledged ? ProtocolFeatures.ReplyAck : 0));
        front.SetLogBase(_file, 0, Page);
        if (!acknowledged) // the answer is there nevertheless, and is the next thing to be read
            Assert.Throws<IOException>(() => front.Get(RequestCode.GetFeatures));
        else
            front.Get(RequestCode.GetFeatures);
    }

    private void StartLog(TestGuest guest, ulong size = 1 << 18)
    {
        var f = guest.FrontEnd;
        f.Set(RequestCode.SetProtocolFeatures, ProtocolFeatures.LogSharedMemory | ProtocolFeatures.ReplyAck);
        f.SetLogBase(_file, Page, size);
        f.Set(RequestCode.SetFeatures, guest.Features | Features.VhostLogAll);
        LogRings(guest);
    }

    private static void LogRings(TestGuest guest)
    {
        foreach (var queue in new[] { guest.Receive(), guest.Transmit() })
            guest.FrontEnd.SetVringAddress(queue.Ring, queue.Driver.Layout, GuestAddress(guest, queue.Driver.Layout.Used));
    }

    private static ulong GuestAddress(TestGuest guest, ulong user) => user - guest.Memory.Layout.UserAddress + guest.Memory.Layout.GuestAddress;

    /// <summary>All memory as it is, with an empty log from here on. Nothing is under way.</summary>
    private byte[] Look(TestGuest guest)
    {
        Clear();
        return guest.Memory.At(guest.Memory.Layout.GuestAddress, (int)guest.Memory.Layout.Size).ToArray();
    }

    /// <summary>Stops the rings, so that nothing is written any more, compares, and starts them again.</summary>
    private void AssertLogged(TestGuest guest, byte[] before, bool received)
    {
        uint receive = guest.FrontEnd.StopVring(0), transmit = guest.FrontEnd.StopVring(1);
        var layout = guest.Memory.Layout;
        var now = guest.Memory.At(layout.GuestAddress, (int)layout.Size);
        var written = new List<int>();
        for (int at = 0; at < before.Length; at += Page)
            if (!now.Slice(at, Page).SequenceEqual(before.AsSpan(at, Page)))
                written.Add((int)((layout.GuestAddress + (ulong)at) / Page));
        int[] marked = Marked();
        Assert.NotEmpty(written);
        Assert.Empty(written.Except(marked)); // all that was written is in the log
        Assert.Empty(marked.Except(written).Except(RingPages(guest))); // a ring's flags may be written as they were
        Assert.True(!received || written.Except(RingPages(guest)).Any(), "frames went to buffers");
        guest.StartRing(0, receive);
        guest.StartRing(1, transmit);
        LogRings(guest);
        _switch.LetItLook("a"); // its joins have just come back: they are to sleep before frames are added without a kick
    }

    private static IEnumerable<int> RingPages(TestGuest guest) =>
        new[] { guest.Receive(), guest.Transmit() }
            .SelectMany(q => new[] { q.Driver.Layout.Used, q.Driver.Layout.Used + 6 + 8 * (ulong)q.Driver.Size, q.Driver.Layout.Descriptors })
            .Select(user => (int)(GuestAddress(guest, user) / Page));

    private static void AddWithoutKick(TestGuest guest, int frames)
    {
        for (int i = 0; i < frames; i++)
        {
            ulong at = guest.Memory.Allocate(212);
            Frames.Numbered(i, 200).CopyTo(guest.Memory.At(at + 12, 200));
            Assert.True(guest.Transmit().Driver.TryAdd([new(at, 212)], [], 1_000_000 + i));
        }
        guest.Transmit().Driver.Publish();
    }

    private void Clear() => _bitmap.At(0, 1 << 20).Clear();

    private int[] Marked()
    {
        byte[] bits = _bitmap.At(Page, 1 << 18).ToArray();
        return [.. Enumerable.Range(0, bits.Length * 8).Where(page => (bits[page / 8] >> page % 8 & 1) != 0)];
    }
}
