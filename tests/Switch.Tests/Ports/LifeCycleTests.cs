using InterGuest.Testing;
using InterGuest.Virtio.VhostUser;
using static InterGuest.Protos.V1.PortState;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>A port's life as its owner sees it, in listening and in connecting mode.</summary>
public class LifeCycleTests
{
    [Fact]
    public void StatesComeInOrder()
    {
        using var board = new TestSwitch();
        string socket = board.AddPort("a");
        using (var guest = new TestGuest())
        {
            guest.Connect(socket);
            board.PortIn(Connected, "a");
            guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
            Assert.Equal(Negotiating, board.Port("a").State);
            guest.Start();
            Assert.Equal(Running, board.Port("a").State);

            // The guest reboots: its VMM stops the rings, and starts them again.
            guest.FrontEnd.StopVring(0);
            guest.FrontEnd.StopVring(1);
            Assert.Equal(Stopped, board.Port("a").State);
            guest.StartRing(0, 0);
            guest.StartRing(1, 0);
            Assert.Equal(Running, board.Port("a").State);
        }
        board.PortIn(Listening, "a");
        Assert.Equal([Listening, Connected, Negotiating, Running, Stopped, Running, Listening], board.StatesOf("a"));
    }

    [Fact]
    public void APortShowsItsGuest()
    {
        using var board = new TestSwitch();
        string socket = board.AddPort("a", queuePairs: 2);
        using var guest = TestGuest.Run(socket, new() { QueuePairs = 2 });
        var port = board.Port("a");
        Assert.Equal(Environment.ProcessId, port.FrontEnd.Pid);
        Assert.Equal(2u, port.RunningQueuePairs);
        Assert.Equal(16u << 20, port.MappedBytes);
        Assert.Equal(["VHOST_USER_F_PROTOCOL_FEATURES", "VIRTIO_F_VERSION_1"], port.AcceptedFeatures);
        Assert.Contains("VIRTIO_NET_F_MQ", port.OfferedFeatures);
        Assert.Equal(1ul, port.Counters.Connections);
        guest.FrontEnd.Dispose();
        port = board.PortIn(Listening, "a");
        Assert.Equal((0u, 0ul, null), (port.RunningQueuePairs, port.MappedBytes, port.FrontEnd));
        Assert.Empty(port.AcceptedFeatures);
        Assert.NotEmpty(port.OfferedFeatures); // never taken back
    }

    [Fact]
    public void TheNextGuestFindsThePortAsNew()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join();
        using (b)
        {
            using (a)
                Exchange.BothWays(a, b);
            for (int i = 0; i < 3; i++)
            {
                board.PortIn(Listening, "a");
                using var next = TestGuest.Run(board.Port("a").SocketPath);
                Exchange.BothWays(next, b);
            }
        }
        Assert.Equal(4ul, board.Port("a").Counters.Connections);
        board.AssertAccounted("a", 20);
        board.AssertAccounted("b", 20);
    }

    [Fact]
    public void ASecondFrontEndWaitsWhileTheFirstLives()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join();
        using var _ = b;
        using var second = new TestGuest();
        second.Attach(FrontEnd.Connect(board.Port("a").SocketPath, TestGuest.Patience));
        Assert.NotNull(board.PortWhen("a", p => p.WaitingFrontEnd != null, "the second waits").FrontEnd);
        Exchange.BothWays(a, b);
        Assert.Equal((Running, 1ul), (board.Port("a").State, board.Port("a").Counters.Connections));
        a.Dispose();
        second.Agree();
        second.Start();
        Exchange.BothWays(second, b);
        Assert.Null(board.Port("a").WaitingFrontEnd);
    }

    [Fact]
    public void AFrontEndThatConnectsAsTheFirstGoesIsTaken()
    {
        using var board = new TestSwitch();
        string socket = board.AddPort("a");
        for (int i = 0; i < 30; i++)
        {
            // No wait in between: the end of one and the beginning of the next arrive together.
            using var guest = new TestGuest(new() { MemoryBytes = 1 << 20, ReceiveBuffers = 1 });
            guest.Connect(socket);
        }
        Assert.Equal(30ul, board.Port("a").Counters.Connections);
    }

    [Fact]
    public void InConnectModeTheGuestsSocketMayComeLaterAndComeBack()
    {
        using var board = new TestSwitch();
        string socket = board.Directory.At("guest.sock");
        board.AddPort("a", mode: Switch.Ports.SocketMode.Connect, socketPath: socket);
        Assert.Equal(Connecting, board.Port("a").State);
        string other = board.AddPort("b");
        board.AddLink("wire", "a", "b");
        using var b = TestGuest.Run(other);
        for (int i = 0; i < 2; i++)
        {
            using var vmm = new GuestSocket(socket);
            using var guest = new TestGuest();
            guest.Adopt(vmm.Accept());
            guest.Start();
            board.PortIn(Running, "a");
            Exchange.BothWays(guest, b);
            guest.FrontEnd.Dispose();
            board.PortIn(Connecting, "a");
        }
        Assert.Equal(
            [Connecting, Connected, Negotiating, Running, Connecting, Connected, Negotiating, Running, Connecting], board.StatesOf("a"));
    }

    [Fact]
    public void ASocketThatRefusesIsTriedAgain()
    {
        using var board = new TestSwitch();
        string socket = board.Directory.At("guest.sock");
        File.WriteAllText(socket, "not a socket");
        board.AddPort("a", mode: Switch.Ports.SocketMode.Connect, socketPath: socket);
        Assert.Equal(Connecting, board.Port("a").State);
        File.Delete(socket);
        using var vmm = new GuestSocket(socket);
        vmm.Accept().Dispose();
        board.PortWhen("a", p => p.Counters.Connections == 1, "the switch connects");
    }

    [Fact]
    public void ADeletedPortDisconnectsItsGuestAndRemovesItsSocket()
    {
        using var board = new TestSwitch();
        string socket = board.AddPort("a");
        using var guest = TestGuest.Run(socket);
        board.Do(b => b.DeletePort("a"));
        Assert.False(File.Exists(socket));
        Assert.Throws<IOException>(() => guest.FrontEnd.Get(RequestCode.GetFeatures));
        using var next = TestGuest.Run(board.AddPort("a"));
        Exchange.ToNowhere(next);
    }
}
