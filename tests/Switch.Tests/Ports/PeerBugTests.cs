using InterGuest.Switch.Tests.Control;
using InterGuest.Switch.Tests.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;
using PortState = InterGuest.Protos.V1.PortState;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>What users of other back-ends have filed, each shown not to be so here; docs/front-ends.md has the list.</summary>
public sealed class PeerBugTests : IDisposable
{
    private const int Receive = 0, Transmit = 1;
    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    /// <summary>rust-vmm/vhost#375, cloud-hypervisor#8592: buffers are posted once in a life, and nobody kicks after a restart.</summary>
    [Fact]
    public async Task Bug_1_Receive_is_dead_after_a_restart_of_the_back_end()
    {
        using var directory = new TemporaryDirectory();
        var options = RunningApplication.OptionsIn(directory);
        using TestGuest a = new(), b = new();
        for (int life = 0; life < 3; life++)
        {
            await using var application = await RunningApplication.StartAsync(options);
            if (life == 0)
                await MakeLinkAsync(application);
            foreach (var (guest, name) in new[] { (a, "a"), (b, "b") })
            {
                guest.Connect(directory.At($"ports/{name}.sock"));
                Share(guest);
                StartWhereUsed(guest);
            }
            Exchange.BothWays(a, b, 70); // more than the ring has entries
            a.FrontEnd.Dispose();
            b.FrontEnd.Dispose();
        }
    }

    /// <summary>openvswitch vhost-user.rst, FDio/vpp#1361, kata-containers/runtime#605.</summary>
    [Fact]
    public void Bug_2_A_guest_must_be_restarted_after_a_reconnect()
    {
        var (a, b) = _switch.Join(new() { Features = TestGuest.PlainFeatures | Features.RingEventIndex });
        using var _ = a;
        using var __ = b;
        for (int i = 0; i < 5; i++)
        {
            Exchange.BothWays(a, b, 30);
            a.FrontEnd.Dispose();
            a.Connect(_switch.Port("a").SocketPath);
            Share(a);
            StartWhereUsed(a);
        }
    }

    /// <summary>cloud-hypervisor#8764, #732: there is no time after which a port gives up, whoever connects.</summary>
    [Fact]
    public void Bug_3_A_long_outage_ends_the_device()
    {
        string path = _switch.Directory.At("vmm.sock");
        _switch.AddPort("a", mode: Switch.Ports.SocketMode.Connect, socketPath: path);
        for (int i = 0; i < 3; i++)
        {
            using (var vmm = new GuestSocket(path))
                vmm.Accept().Dispose();
            _switch.PortIn(PortState.Connecting, "a");
        }
        using var last = new GuestSocket(path);
        using var guest = new TestGuest();
        guest.Adopt(last.Accept());
        guest.Start();
        Exchange.ToNowhere(guest);
    }

    /// <summary>FDio/vpp#1670: a socket file that its owner could not remove is in the way of nobody.</summary>
    [Fact]
    public void Bug_4_A_stale_socket_refuses_connections()
    {
        string path = _switch.Directory.At("a.sock");
        UnixSocket.Listen(path, 0x180).Dispose();
        Assert.True(File.Exists(path));
        for (int i = 0; i < 3; i++)
        {
            using (var guest = TestGuest.Run(_switch.AddPort("a")))
                Exchange.ToNowhere(guest);
            _switch.Do(b => b.DeletePort("a"));
        }
    }

    /// <summary>FDio/vpp#1885, snabbco/snabb#934: QEMU retries for ever if a bit that its guest accepted is gone, even bit 30.</summary>
    [Fact]
    public void Bug_5_Features_shrink_on_a_reconnect()
    {
        string path = _switch.AddPort("a");
        ulong offered;
        using (var guest = TestGuest.Run(path))
            offered = guest.Offered;
        // The peer has refused everything meanwhile.
        _switch.AddPort("b");
        _switch.AddLink("wire", "a", "b");
        using var peer = TestGuest.Run(_switch.Port("b").SocketPath);
        using var again = new TestGuest();
        again.Connect(path);
        Assert.Equal(offered, again.Offered & offered);
        Assert.NotEqual(0ul, again.Offered & Features.VhostUserProtocolFeatures);
    }

    /// <summary>cloud-hypervisor#226, #1565: what is not served is not offered (QEMU takes every bit that it knows), nor taken.</summary>
    [Fact]
    public void Bug_6_All_features_are_claimed_or_invalid_ones_taken()
    {
        using var guest = new TestGuest();
        guest.Connect(_switch.AddPort("a"));
        ulong protocol = guest.FrontEnd.Get(RequestCode.GetProtocolFeatures);
        // CROSS_ENDIAN, CRYPTO_SESSION, PAGEFAULT, CONFIG, BACKEND_SEND_FD, HOST_NOTIFIER, INFLIGHT_SHMFD, INBAND, XEN_MMAP and later ones.
        // Bit 60 is our own (docs/multi-round.md), and masked by all of them.
        Assert.Equal(0ul, protocol & ~(0b1_1010_0000_0011_1111ul | FeatureRounds.ProtocolFeature));
        for (int bit = 0; bit < 64; bit++)
            if ((guest.Offered >> bit & 1) == 0)
                Assert.Throws<IOException>(() => guest.FrontEnd.Set(RequestCode.SetFeatures, TestGuest.PlainFeatures | 1ul << bit));
        guest.Start();
        Exchange.ToNowhere(guest);
    }

    /// <summary>rust-vmm/vhost#247: a driver kicks once; whoever is not ready then must look by himself.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(Features.RingEventIndex)]
    public void Bug_7_A_kick_before_the_ring_is_enabled_is_lost(ulong features)
    {
        string path = _switch.AddPort("a");
        _switch.AddPort("b");
        _switch.AddLink("wire", "a", "b");
        using var b = TestGuest.Run(_switch.Port("b").SocketPath);
        using var a = new TestGuest(new() { Features = TestGuest.PlainFeatures | features });
        a.Connect(path);
        a.Transmit().Send(default, Frames.Numbered(1, 100)); // before there is anything
        Share(a);
        a.FrontEnd.SetVring(RequestCode.SetVringEnable, Transmit, 1);
        a.StartRing(Transmit, 0);
        a.StartRing(Receive, 0);
        Assert.Equal(Frames.Numbered(1, 100), b.ReceiveFrame());
        Assert.Equal(0u, a.Transmit().NextUsed());

        // A frame for a ring that is not enabled yet waits with its sender, or is dropped and counted; the next one arrives.
        a.FrontEnd.SetVring(RequestCode.SetVringEnable, Receive, 1);
        Exchange.BothWays(a, b);
    }

    /// <summary>rust-vmm/vhost#154, #161, #169.</summary>
    [Fact]
    public void Bug_8_Stopping_a_ring_resets_its_index()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        for (uint i = 1; i <= 20; i++)
        {
            Exchange.BothWays(a, b, 7);
            Assert.Equal((7 * i, 7 * i), (a.FrontEnd.StopVring(Receive), a.FrontEnd.StopVring(Transmit)));
            Assert.Equal((7 * i, 7 * i), (a.FrontEnd.StopVring(Receive), a.FrontEnd.StopVring(Transmit)));
            a.StartRing(Receive, 7 * i);
            a.StartRing(Transmit, 7 * i);
        }
    }

    /// <summary>rust-vmm/vhost#227, #210.</summary>
    [Fact]
    public void Bug_9_A_kick_descriptor_or_features_disable_a_ring()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        for (uint ring = 0; ring < 2; ring++)
        {
            a.FrontEnd.Set(RequestCode.SetVringKick, ring, (ring == 0 ? a.Receive() : a.Transmit()).Kick.Descriptor);
            Exchange.BothWays(a, b);
            a.FrontEnd.Set(RequestCode.SetFeatures, a.Features);
            Exchange.BothWays(a, b);
        }
    }

    /// <summary>rust-vmm/vhost#240: features count from when they are set, in whatever order the rest comes.</summary>
    [Fact]
    public void Bug_10_Event_index_is_in_force_only_after_a_base()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        Exchange.BothWays(a, b);
        using var anew = new TestGuest(new() { Features = TestGuest.PlainFeatures | Features.RingEventIndex });
        anew.Attach(a.FrontEnd);
        a.FrontEnd.StopVring(Receive);
        a.FrontEnd.StopVring(Transmit);
        a.FrontEnd.SetMemoryTable((anew.Memory.Layout, anew.Memory.File));
        anew.StartRing(Receive, 0);
        anew.StartRing(Transmit, 0);
        a.FrontEnd.Set(RequestCode.SetFeatures, anew.Features); // last
        Exchange.BothWays(anew, b, 100);
        // What only event_idx makes: before it sleeps, the device's avail_event follows the driver.
        Wait.Until(() => BitConverter.ToUInt16(new RawRing(anew, anew.Transmit()).Used[(4 + 8 * 64)..]) != 0, "the event index follows");
    }

    /// <summary>cloud-hypervisor#1460, rust-vmm/vhost#17, #224.</summary>
    [Fact]
    public void Bug_11_A_guest_has_more_than_eight_memory_regions()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        ulong slots = a.FrontEnd.Get(RequestCode.GetMaxMemorySlots);
        Assert.Equal(509ul, slots);
        using var file = MemFd.Create("slots", (long)slots * 4096);
        using var memory = new DriverMemory(file.Duplicate(), (long)slots * 4096, 0x9000_0000);
        RegionLayout Slot(ulong i) => new(0x9000_0000 + i * 4096, 4096, memory.Layout.UserAddress + i * 4096, i * 4096);
        for (ulong i = 0; i + 1 < slots; i++)
            a.FrontEnd.ChangeMemory(RequestCode.AddMemoryRegion, Slot(i), file);
        Assert.Throws<IOException>(() => a.FrontEnd.ChangeMemory(RequestCode.AddMemoryRegion, Slot(slots - 1), file));
        byte[] frame = Frames.Numbered(1, 9000); // over three of them
        ulong at = 0x9000_0000 + 500 * 4096 - 12;
        frame.CopyTo(memory.At(at + 12, frame.Length));
        a.Transmit().Driver.TryAdd([new(at, 12 + 9000)], [], 0);
        using var big = TestGuest.Run(NextTo("a"), new() { ReceiveBufferBytes = 16384 });
        a.Transmit().KickIfWanted();
        Assert.Equal(frame, big.ReceiveFrame());
    }

    /// <summary>spdk/spdk#3132, cloud-hypervisor#941.</summary>
    [Fact]
    public void Bug_12_A_new_memory_table_while_rings_run_is_the_end()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        for (int i = 0; i < 50; i++)
        {
            a.Send(Frames.Numbered(i, 200));
            b.Send(Frames.Numbered(i, 200));
            a.FrontEnd.SetMemoryTable((a.Memory.Layout, a.Memory.File));
            Assert.Equal(Frames.Numbered(i, 200), b.ReceiveFrame());
            Assert.Equal(Frames.Numbered(i, 200), a.ReceiveFrame());
            a.Transmit().NextUsed();
            b.Transmit().NextUsed();
        }
    }

    /// <summary>spdk/spdk#2228, #1295: firmware sets up one queue of several, and all are enabled.</summary>
    [Fact]
    public void Bug_13_Only_some_rings_are_set_up()
    {
        string path = _switch.AddPort("a", queuePairs: 4);
        using var guest = new TestGuest(new() { QueuePairs = 4, Features = TestGuest.PlainFeatures | Features.NetMultiqueue, MemoryBytes = 32 << 20 });
        guest.Connect(path);
        Share(guest);
        guest.StartRing(Transmit, 0);
        for (uint ring = 0; ring < 8; ring++)
            guest.FrontEnd.SetVring(RequestCode.SetVringEnable, ring, 1);
        Exchange.ToNowhere(guest);
        Assert.Equal((0u, ""), (_switch.Port("a").RunningQueuePairs, _switch.Port("a").Fault));
        for (uint ring = 0; ring < 8; ring++)
            guest.FrontEnd.StopVring(ring); // also those that never were
        Assert.Equal("", _switch.Port("a").Fault);
    }

    /// <summary>spdk/spdk#3553, #2532, #981: a stop must not wait for what may never come, nor lose what is there.</summary>
    [Fact]
    public void Bug_14_A_stop_hangs_or_loses_what_is_under_way()
    {
        var (a, b) = _switch.Join(b: new() { ReceiveBuffers = 0 }, hold: TimeSpan.FromSeconds(60));
        using var _ = a;
        using var __ = b;
        for (int i = 0; i < 3; i++)
            a.Send(Frames.Numbered(i, 100));
        Assert.Equal(0u, a.FrontEnd.StopVring(Transmit)); // answered at once; the frames wait where they were
        a.StartRing(Transmit, 0);
        b.Receive().PostBuffers(8, 2048);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(Frames.Numbered(i, 100), b.ReceiveFrame());
            Assert.Equal(0u, a.Transmit().NextUsed());
        }
    }

    /// <summary>spdk/spdk#3766, #3070, cloud-hypervisor#2931: a network ring has nothing in flight, and says so by not offering it.</summary>
    [Fact]
    public void Bug_15_Inflight_descriptors_are_wrong_or_come_too_early()
    {
        using var guest = new TestGuest();
        guest.Connect(_switch.AddPort("a"));
        Assert.Equal(0ul, guest.FrontEnd.Get(RequestCode.GetProtocolFeatures) & 1ul << 12);
        byte[] body = new byte[24];
        (body[16], body[18]) = (2, 64); // queues, and their size
        guest.FrontEnd.Do(RequestCode.GetInflightFd, body); // answered with a size of 0: there is none
        Assert.Throws<IOException>(() => guest.FrontEnd.Do(RequestCode.SetInflightFd, body, guest.Memory.File));
        guest.Start();
        Exchange.ToNowhere(guest);
    }

    /// <summary>DPDK/dpdk#80, spdk/spdk#3683, #2518: commands and messages about the same port, all at once.</summary>
    [Fact]
    public async Task Bug_17_Commands_and_messages_lock_each_other_out()
    {
        string path = _switch.AddPort("a");
        _switch.AddPort("b");
        _switch.AddLink("wire", "a", "b");
        using var b = TestGuest.Run(_switch.Port("b").SocketPath);
        bool done = false;
        var messages = Task.Run(() =>
        {
            for (int i = 0; i < 20; i++)
            {
                using var guest = TestGuest.Run(path, new() { MemoryBytes = 1 << 20, ReceiveBuffers = 4 });
                guest.FrontEnd.SetMemoryTable((guest.Memory.Layout, guest.Memory.File));
                guest.Send(Frames.Numbered(i, 60));
            }
            Volatile.Write(ref done, true);
        });
        var commands = Task.Run(() =>
        {
            for (int i = 0; !Volatile.Read(ref done); i++)
            {
                _switch.Do(board => board.SetLinkUp("wire", i % 2 == 0));
                _switch.Do(board => board.DeleteLink("wire"));
                _switch.AddLink("wire", "a", "b");
            }
        });
        await Wait.ForAsync(Task.WhenAll(messages, commands), "all messages are answered, all commands done");
    }

    /// <summary>spdk/spdk#1205, #1728: what was made is there after a restart, with what it had offered.</summary>
    [Fact]
    public async Task Bug_19_Ports_are_gone_when_the_daemon_restarts()
    {
        using var directory = new TemporaryDirectory();
        var options = RunningApplication.OptionsIn(directory);
        await using (var first = await RunningApplication.StartAsync(options))
            await MakeLinkAsync(first);
        await using var second = await RunningApplication.StartAsync(options);
        using var a = TestGuest.Run(directory.At("ports/a.sock"));
        using var b = TestGuest.Run(directory.At("ports/b.sock"));
        Exchange.BothWays(a, b);
    }

    /// <summary>kubeovn/kube-ovn#1738, spdk/spdk#314, cloud-hypervisor#848: no root, no huge pages; the socket's group may connect.</summary>
    [Fact]
    public void Bug_20_Rights_and_huge_pages()
    {
        string path = _switch.AddPort("a");
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite, File.GetUnixFileMode(path));
        using var guest = TestGuest.Run(path, new() { MemoryBytes = 1 << 20, ReceiveBuffers = 4 });
        Exchange.ToNowhere(guest); // over a plain memfd, of no multiple of a huge page
    }

    private string NextTo(string port)
    {
        _switch.Do(board => board.DeleteLink("wire"));
        string path = _switch.AddPort("next");
        _switch.AddLink("wire2", port, "next");
        return path;
    }

    private static async Task MakeLinkAsync(RunningApplication application)
    {
        await application.Client.CreatePortAsync(new() { Name = "a" });
        await application.Client.CreatePortAsync(new() { Name = "b" });
        await application.Client.CreateLinkAsync(new() { Name = "wire", Ports = { "a", "b" } });
    }

    private static void Share(TestGuest guest)
    {
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        guest.FrontEnd.SetMemoryTable((guest.Memory.Layout, guest.Memory.File));
    }

    /// <summary>As QEMU starts rings of a guest that has used them before: from the used index, and without a kick.</summary>
    private static void StartWhereUsed(TestGuest guest)
    {
        guest.StartRing(Receive, new RawRing(guest, guest.Receive()).UsedIndex);
        guest.StartRing(Transmit, new RawRing(guest, guest.Transmit()).UsedIndex);
        guest.FrontEnd.SetVring(RequestCode.SetVringEnable, Receive, 1);
        guest.FrontEnd.SetVring(RequestCode.SetVringEnable, Transmit, 1);
    }
}
