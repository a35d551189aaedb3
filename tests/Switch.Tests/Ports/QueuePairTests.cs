using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Several queues, and queues enabled and disabled.</summary>
public class QueuePairTests
{
    private static readonly TestGuestOptions Four = new()
    {
        QueuePairs = 4, Features = TestGuest.PlainFeatures | Features.NetMultiqueue, MemoryBytes = 32 << 20,
    };

    [Fact]
    public void FourPairsAreJoinedPairByPair()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(Four, Four);
        using var _ = a;
        using var __ = b;
        for (int pair = 0; pair < 4; pair++)
        {
            Exchange.OneWay(a, b, pair: pair);
            Exchange.OneWay(b, a, pair: pair);
        }
        Assert.Equal(4u, board.Port("a").RunningQueuePairs);
        board.AssertAccounted("a", 20);
        var queues = board.Port("a").Queues;
        Assert.Equal(Enumerable.Range(0, 8).Select(ring => ((uint)ring, 5ul, 1000ul)), queues.Select(q => (q.Ring, q.Frames, q.Bytes)));
        Assert.All(queues, q => Assert.True(q.Ring % 2 == 0 ? q.Calls > 0 : q.Kicks + q.KicksSuppressed > 0, $"ring {q.Ring}: {q}"));
    }

    [Fact]
    public void FourPairsMayBeLinkedToOne()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(Four);
        using var _ = a;
        using var __ = b;
        for (int i = 0; i < 40; i++)
        {
            a.Transmit(i % 4).Send(default, Frames.Numbered(i, 60));
            Assert.Equal(Frames.Numbered(i, 60), b.ReceiveFrame());
            a.Transmit(i % 4).NextUsed();
        }
        Exchange.OneWay(b, a);
        board.AssertAccounted("a", 40);
    }

    [Fact]
    public void APortMayRunWithFewerPairsThanItHas()
    {
        using var board = new TestSwitch();
        string socket = board.AddPort("a", queuePairs: 4), other = board.AddPort("b");
        board.AddLink("wire", "a", "b");
        using var a = TestGuest.Run(socket, Four with { QueuePairs = 1 });
        using var b = TestGuest.Run(other);
        Assert.Equal(1u, board.Port("a").RunningQueuePairs);
        Exchange.BothWays(a, b);
    }

    [Fact]
    public void AGuestWithMorePairsThanThePortIsToldWhatToDo()
    {
        using var board = new TestSwitch();
        string socket = board.AddPort("a", queuePairs: 2);
        using var guest = new TestGuest(Four);
        guest.Connect(socket);
        Assert.Throws<IOException>(guest.Start);
        Assert.Contains("--queues 3", board.Port("a").Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsSentOnADisabledQueueIsTakenAndCounted()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(Four, Four);
        using var _ = a;
        using var __ = b;
        a.FrontEnd.SetVring(RequestCode.SetVringEnable, 3, 0);
        Assert.Equal(3u, board.Port("a").RunningQueuePairs);
        Exchange.ToNowhere(a, 5, pair: 1);
        Assert.Equal(5ul, board.Port("a").Dropped("queue_disabled"));
        Exchange.OneWay(a, b, 5, pair: 0);
        a.FrontEnd.SetVring(RequestCode.SetVringEnable, 3, 1);
        Exchange.OneWay(a, b, 5, pair: 1);
        board.AssertAccounted("a", 15);
        Assert.Equal(5ul, board.Link("wire").Directions[0].Drops.Single().Count);
    }

    [Fact]
    public void FramesForADisabledQueueGoToOneThatRuns()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(Four, Four);
        using var _ = a;
        using var __ = b;
        b.FrontEnd.SetVring(RequestCode.SetVringEnable, 2, 0);
        for (int i = 0; i < 20; i++)
            a.Transmit(1).Send(default, Frames.Numbered(i, 60));
        for (int i = 0; i < 20; i++)
            Assert.Equal(0u, a.Transmit(1).NextUsed());
        Assert.False(b.Receive(1).HasUsed);
        Assert.Equal(20, CountUsed(b.Receive(0)) + CountUsed(b.Receive(2)) + CountUsed(b.Receive(3)));
    }

    [Fact]
    public void WithoutProtocolFeaturesRingsAreEnabledFromTheStart()
    {
        using var board = new TestSwitch();
        string socket = board.AddPort("a");
        using var guest = new TestGuest(new() { Features = Features.Version1 });
        guest.Attach(FrontEnd.Connect(socket, TestGuest.Patience));
        guest.FrontEnd.Get(RequestCode.GetFeatures);
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        guest.FrontEnd.SetMemoryTable((guest.Memory.Layout, guest.Memory.File));
        guest.StartRing(0, 0);
        guest.StartRing(1, 0);
        board.PortIn(Protos.V1.PortState.Running, "a");
        Exchange.ToNowhere(guest);
        Assert.Equal(1ul, board.Port("a").Dropped("no_link"));
    }

    [Fact]
    public void TheQueueNumberLetsEveryVmmStart()
    {
        using var board = new TestSwitch();
        using var guest = new TestGuest(Four);
        guest.Connect(board.AddPort("a", queuePairs: 4));
        // Cloud Hypervisor counts rings, QEMU and DPDK count pairs (notes/peers.md).
        Assert.InRange(guest.FrontEnd.Get(RequestCode.GetQueueNum), 8ul, 128ul);
    }

    private static int CountUsed(TestQueue queue)
    {
        int count = 0;
        while (queue.Driver.TryGetUsed(out _, out _))
            count++;
        return count;
    }
}
