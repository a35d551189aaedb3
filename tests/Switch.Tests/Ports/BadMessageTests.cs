using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Front-ends that break the rules: their port says how, everybody else goes on.</summary>
public class BadMessageTests
{
    public static TheoryData<string, string, string, Action<TestGuest>> Cases => new()
    {
        { "no body", "wrong_message_size", "0 bytes instead of 8", g => g.FrontEnd.Do(RequestCode.SetFeatures, []) },
        { "a short body", "wrong_message_size", "4 bytes instead of 8", g => g.FrontEnd.Do(RequestCode.SetVringNum, [0, 0, 0, 0]) },
        { "a long body", "wrong_message_size", "48 bytes instead of 40", g => g.FrontEnd.Do(RequestCode.SetVringAddress, new byte[48]) },
        { "no descriptor", "wrong_descriptor_count", "0 file descriptors instead of 1", g => g.FrontEnd.Set(RequestCode.SetVringKick, 0) },
        { "two descriptors", "wrong_descriptor_count", "2 file descriptors instead of 1", g => g.FrontEnd.Set(RequestCode.SetVringCall, 0, g.Receive().Call.Descriptor, g.Receive().Call.Descriptor) },
        { "a table with a hole", "wrong_message_size", "instead of", g => g.FrontEnd.Do(RequestCode.SetMemoryTable, [1, 0, 0, 0, 0, 0, 0, 0]) },
        { "a request of no meaning", "not_offered", "not a request", g => g.FrontEnd.Do((RequestCode)9999, [1, 2, 3]) },
        { "a ring that is not there", "ring_out_of_range", "ring 2", g => g.FrontEnd.SetVring(RequestCode.SetVringNum, 2, 64) },
        { "a ring far away", "ring_out_of_range", "ring 4294967295", g => g.FrontEnd.SetVring(RequestCode.SetVringBase, uint.MaxValue, 0) },
        { "a kick for no ring", "ring_out_of_range", "ring 200", g => g.FrontEnd.Set(RequestCode.SetVringKick, 200, g.Receive().Kick.Descriptor) },
        { "an odd ring size", "wrong_ring_size", "power of two", g => g.FrontEnd.SetVring(RequestCode.SetVringNum, 0, 63) },
        { "no ring size", "wrong_ring_size", "power of two", g => g.FrontEnd.SetVring(RequestCode.SetVringNum, 0, 0) },
        { "a huge ring", "wrong_ring_size", "power of two", g => g.FrontEnd.SetVring(RequestCode.SetVringNum, 0, 65536) },
        { "a base that is no index", "wrong_ring_base", "65536", g => g.FrontEnd.SetVring(RequestCode.SetVringBase, 0, 65536) },
        { "half enabled", "wrong_ring_state", "not 2", g => g.FrontEnd.SetVring(RequestCode.SetVringEnable, 0, 2) },
        { "foreign features", "features_not_offered", "VIRTIO_F_ACCESS_PLATFORM", g => g.FrontEnd.Set(RequestCode.SetFeatures, TestGuest.PlainFeatures | 1UL << 33) },
        { "foreign protocol features", "not_offered", "0x80 were not offered", g => g.FrontEnd.Set(RequestCode.SetProtocolFeatures, 0x81 | ProtocolFeatures.ReplyAck) },
        { "a file for a kick", "not_an_event_fd", "not an eventfd", g => g.FrontEnd.Set(RequestCode.SetVringKick, 0, g.Memory.File) },
        { "a short region file", "region_outside_file", "fewer than", g => g.FrontEnd.SetMemoryTable((g.Memory.Layout with { Size = g.Memory.Layout.Size + 4096 }, g.Memory.File)) },
        { "an offset behind the file", "region_outside_file", "fewer than", g => g.FrontEnd.SetMemoryTable((g.Memory.Layout with { FileOffset = 4096 }, g.Memory.File)) },
        { "a region of nothing", "region_wraps", "no bytes", g => g.FrontEnd.SetMemoryTable((g.Memory.Layout with { Size = 0 }, g.Memory.File)) },
        { "a region round the corner", "region_wraps", "wraps", g => g.FrontEnd.SetMemoryTable((g.Memory.Layout with { GuestAddress = ulong.MaxValue - 10 }, g.Memory.File)) },
        { "regions over each other", "region_overlaps", "overlaps", g => g.FrontEnd.SetMemoryTable((g.Memory.Layout, g.Memory.File), (g.Memory.Layout with { Size = 4096 }, g.Memory.File)) },
        { "an eventfd for memory", "not_a_memory_file", "not a memory file", g => g.FrontEnd.SetMemoryTable((g.Memory.Layout, g.Receive().Kick.Descriptor)) },
        { "more regions than there may be", "too_many_regions", "more than 8", g => g.FrontEnd.Do(RequestCode.SetMemoryTable, [9, .. new byte[7 + 8 * 32]], [.. Enumerable.Repeat(g.Memory.File, 8)]) },
        { "a region with a file that is not writable", "region_not_mapped", "mmap", g => WithFile(ReadOnlyFile(), f => g.FrontEnd.SetMemoryTable((g.Memory.Layout with { Size = 4096 }, f))) },
        { "an eventfd for a socket", "not_a_socket", "not a socket", g => g.FrontEnd.Do(RequestCode.SetBackendRequestFd, [], g.Receive().Kick.Descriptor) },
        { "a file for the log's doorbell", "not_an_event_fd", "not an eventfd", g => g.FrontEnd.Do(RequestCode.SetLogFd, [], g.Memory.File) },
        { "an MTU for nobody", "wrong_mtu", "67", g => g.FrontEnd.Set(RequestCode.NetSetMtu, 67) },
        { "an MTU beyond IP", "wrong_mtu", "65536", g => g.FrontEnd.Set(RequestCode.NetSetMtu, 65536) },
        { "a log of no bytes", "log_outside_file", "the log", g => g.FrontEnd.Do(RequestCode.SetLogBase, new byte[16], g.Memory.File) },
        { "a log behind its file", "log_outside_file", "the log", g => g.FrontEnd.Do(RequestCode.SetLogBase, [.. BitConverter.GetBytes(4096L), .. BitConverter.GetBytes(g.Memory.Layout.Size)], g.Memory.File) },
        { "an eventfd for a log", "not_a_memory_file", "the log", g => g.FrontEnd.Do(RequestCode.SetLogBase, [1, .. new byte[15]], g.Receive().Kick.Descriptor) },
        { "rings where there is no memory", "ring_not_mapped", "not in the guest's shared memory", g => Relocate(g, new RingLayout(0x10, 0x1000, 0x2000)) },
        { "rings off their alignment", "ring_misaligned", "not aligned", g => Relocate(g, g.Receive().Driver.Layout with { Descriptors = g.Receive().Driver.Layout.Descriptors + 8 }) },
        { "a ring that ends behind its region", "ring_not_mapped", "not in the guest's shared memory", g => Relocate(g, g.Receive().Driver.Layout with { Used = g.Memory.Layout.UserAddress + g.Memory.Layout.Size - 100 }) },
        { "memory taken away from under the rings", "no_shared_memory", "share=on", g => g.FrontEnd.SetMemoryTable() },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void OnlyThePortThatMisbehavesIsFaulted(string what, string word, string reason, Action<TestGuest> misbehave)
    {
        Assert.NotEmpty(what);
        using var board = new TestSwitch();
        var (a, b) = board.Join();
        using var _ = a;
        using var __ = b;
        string socket = board.AddPort("bad");
        using (var guest = TestGuest.Run(socket))
        {
            // Answered with a refusal or the end of the connection, or shown by the port alone.
            Record.Exception(() => misbehave(guest));
            var port = board.PortIn(PortState.Faulted, "bad");
            Assert.Contains(reason, port.Fault, StringComparison.Ordinal);
            Assert.Contains(word, port.Counters.MessageFaults.Select(f => f.Reason));
            Assert.All(["a", "b"], name => Assert.Empty(board.Port(name).Counters.MessageFaults));
            Exchange.BothWays(a, b);
        }
        board.PortWhen("bad", p => p.FrontEnd == null, "the bad front-end is gone");
        using var next = TestGuest.Run(socket);
        Assert.Equal((PortState.Running, ""), (board.Port("bad").State, board.Port("bad").Fault));
        Exchange.ToNowhere(next);
    }

    [Fact]
    public void ARefusalIsAnsweredAndTheConnectionGoesOn()
    {
        using var board = new TestSwitch();
        using var guest = TestGuest.Run(board.AddPort("a"));
        var refusal = Assert.Throws<IOException>(() => guest.FrontEnd.SetVring(RequestCode.SetVringNum, 7, 64));
        Assert.Contains("refused SetVringNum with 1", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(1ul, board.Port("a").Counters.RefusedMessages);
        Exchange.ToNowhere(guest); // its rings run all the same
        // A device reset clears the fault: the driver accepts features anew.
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        Assert.Equal((PortState.Running, ""), (board.Port("a").State, board.Port("a").Fault));
    }

    [Theory]
    [InlineData(1u, "transmit")]
    [InlineData(0u, "receive")]
    public void ABrokenRingFaultsItsPortAndSignalsItsError(uint ring, string name)
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join();
        using var _ = a;
        using var __ = b;
        using var error = EventFd.Create();
        a.FrontEnd.Set(RequestCode.SetVringError, ring, error.Descriptor);
        var queue = ring == 0 ? a.Receive() : a.Transmit();
        new DataPath.RawRing(a, queue).AvailableIndex += 5000;
        queue.Kick.Signal();
        if (ring == 0)
            b.Send(Frames.Numbered(1, 60));
        var port = board.PortIn(PortState.Faulted, "a");
        Assert.Contains($"ring {ring} ({name}): AvailableIndexJumped", port.Fault, StringComparison.Ordinal);
        Assert.Equal("available_index_jumped", port.Counters.Faults.Single().Reason);
        Assert.Equal(1ul, error.Drain());
        // The other direction still works, and so does the other guest.
        if (ring == 0)
            Exchange.OneWay(a, b);
        else
            Exchange.OneWay(b, a);
        Assert.Equal(PortState.Running, board.Port("b").State);
        Assert.Equal(LinkState.Waiting, board.Link("wire").State);
    }

    [Fact]
    public void AGuestThatSharesNoMemoryIsToldHowTo()
    {
        using var board = new TestSwitch();
        using var guest = new TestGuest();
        guest.Connect(board.AddPort("vm1"));
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        guest.StartRing(0, 0);
        var port = board.PortIn(PortState.Faulted, "vm1");
        Assert.Contains("share=on", port.Fault, StringComparison.Ordinal);
        Assert.Contains("interguest qemu vm1", port.Fault, StringComparison.Ordinal);
    }

    private static FileDescriptor ReadOnlyFile() => StrangeFile.Open("/proc/self/exe", FileAccess.Read);

    private static void WithFile(FileDescriptor file, Action<FileDescriptor> action)
    {
        using (file)
            action(file);
    }

    private static void Relocate(TestGuest guest, RingLayout layout) => guest.FrontEnd.SetVringAddress(0, layout);
}
