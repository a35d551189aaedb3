using System.Diagnostics;
using InterGuest.Switch.Ports;
using InterGuest.Switch.Tests.Block;
using InterGuest.Virtio.Devices;
using PortType = InterGuest.Switch.Ports.PortType;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Limits of a port: one tenant leaves something for others.</summary>
public class PortLimitTests
{
    private const ulong Megabit = 1_000_000;

    /// <summary>Over real sockets, rings and clocks: never more than the rate allows in the time that it took.</summary>
    [Fact]
    public void AGuestHasItsRateAndTheOtherWayIsFree()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join();
        using var _ = a;
        using var __ = b;
        board.Do(s => s.SetPort("a", new PortLimits(80 * Megabit, 20_000, 0)));
        const int frames = 500, bytes = 1000;
        long started = Stopwatch.GetTimestamp();
        Exchange.OneWay(a, b, frames, bytes);
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Assert.InRange(frames * bytes, 0, 20_000 + bytes + seconds * 10_000_000);
        var port = board.Port("a");
        Assert.True(port.Counters.TimesLimited > 0);
        Assert.Empty(port.Counters.Drops);
        Exchange.OneWay(b, a, frames, bytes);
        Assert.Equal(0ul, board.Port("b").Counters.TimesLimited);
    }

    [Fact]
    public void ALimitIsTakenAwayAsItRuns()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join();
        using var _ = a;
        using var __ = b;
        const int frames = 60; // 11 s at 64 kbit/s
        board.Do(s => s.SetPort("a", new PortLimits(PortLimits.MinRate, PortLimits.MinBurst, 0)));
        for (int i = 0; i < frames; i++)
            a.Send(Frames.Numbered(i, 1500));
        Wait.Until(() => board.Port("a").Counters.TimesLimited > 0, "it has to wait");
        Assert.True(board.Link("wire").Directions[0].Frames < frames);
        board.Do(s => s.SetPort("a", PortLimits.None));
        Wait.Until(() => board.Link("wire").Directions[0].Frames == frames, "all go as soon as there is no limit");
        Assert.Contains(board.Events, e => e == "port a: a rate of 64000 bit/s in bursts of 1514 bytes");
        Assert.Contains(board.Events, e => e == "port a: no limits");
    }

    [Theory]
    [InlineData(1, 0, 0, PortType.Net, "rate: 1 bit/s is not between")]
    [InlineData(1_000_000, 1, 0, PortType.Net, "burst: 1 bytes are not between")]
    [InlineData(0, 65536, 0, PortType.Net, "burst: without a rate")]
    [InlineData(0, 0, 65536, PortType.Net, "in_flight: only a port of type block")]
    [InlineData(1_000_000, 0, 0, PortType.BlockServer, "rate: a port of type block-server has none; limit the port of type block ")]
    [InlineData(1_000_000, 0, 0, PortType.Entropy, "rate: a port of type entropy has none; limit the port of type entropy-source ")]
    [InlineData(ulong.MaxValue, 0, 0, PortType.Net, "rate: ")]
    [InlineData(0, 0, ulong.MaxValue, PortType.Block, "in_flight: ")]
    public void WhatCannotBeIsRefused(ulong rate, ulong burst, ulong inFlight, PortType type, string why)
    {
        using var board = new TestSwitch();
        var limits = new PortLimits(rate, burst, inFlight);
        var spec = new PortSpec(Switch.Ports.SocketMode.Listen, "", 1, type);
        Assert.Contains(why, Refusal(() => board.Do(s => s.CreatePort("a", spec with { Limits = limits }))), StringComparison.Ordinal);
        board.Do(s => s.CreatePort("a", spec));
        Assert.Contains(why, Refusal(() => board.Do(s => s.SetPort("a", limits))), StringComparison.Ordinal);
        Assert.Equal((0ul, 0ul, 0ul), (board.Port("a").Rate, board.Port("a").Burst, board.Port("a").InFlight));
    }

    [Fact]
    public void TheUsualBurstIsWhatTheRateMovesInTenMilliseconds()
    {
        Assert.Equal(1_250_000ul, new PortLimits(1000 * Megabit, 0, 0).BurstBytes);
        Assert.Equal(65_536ul, new PortLimits(Megabit, 0, 0).BurstBytes);
        Assert.Equal(2000ul, new PortLimits(Megabit, 2000, 0).BurstBytes);
    }

    /// <summary>The buffers of a server are left for others; a reply makes room for the next.</summary>
    [Fact]
    public void ADiskHasNoMoreInFlightThanItMay()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        rig.Switch.Do(s => s.SetPort("disk", new PortLimits(0, 0, 10_000)));
        int[] reads = [.. Enumerable.Range(0, 6).Select(i => client.Read((ulong)i * 8, 4096))];
        // Two of 4096 bytes fit. The third is held back.
        var (first, nothing) = server.Next();
        var (second, none) = server.Next();
        rig.Switch.LetItLook("disk");
        Assert.False(server.Guest.Receive().HasUsed, "a third request is with the server");
        server.Do(first, nothing);
        server.Do(second, none);
        for (int i = 2; i < reads.Length; i++)
        {
            var (request, data) = server.Next();
            server.Do(request, data);
        }
        foreach (int read in reads)
            client.Ends(BlockStatus.Ok, read);
    }

    /// <summary>A request larger than what may be in flight goes alone.</summary>
    [Fact]
    public void ALargeRequestIsNotHeldBackForEver()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        rig.Switch.Do(s => s.SetPort("disk", new PortLimits(0, 0, 1000)));
        int read = client.Read(0, 200 * 1024);
        server.Serve(4);
        client.Ends(BlockStatus.Ok, read);
    }

    [Fact]
    public void ADiskHasItsRate()
    {
        using var rig = new BlockRig();
        var (server, client) = rig.Run();
        using var _ = server;
        using var __ = client;
        rig.Switch.Do(s => s.SetPort("disk", new PortLimits(PortLimits.MinRate, PortLimits.MinBurst, 0)));
        int first = client.Read(0, 65536), second = client.Read(0, 512);
        server.Serve(1);
        client.Ends(BlockStatus.Ok, first);
        Wait.Until(() => rig.Switch.Port("disk").Counters.TimesLimited > 0, "the second has to wait");
        rig.Switch.Do(s => s.SetPort("disk", PortLimits.None));
        server.Serve(1);
        client.Ends(BlockStatus.Ok, second);
    }

    private static string Refusal(Action action) => Assert.Throws<SwitchException>(action).Message;
}
