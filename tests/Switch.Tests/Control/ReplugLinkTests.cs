using InterGuest.Switch.Tests.Negotiation.Replug;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using LinkPolicy = InterGuest.Switch.Control.LinkPolicy;
using LinkState = InterGuest.Protos.V1.LinkState;
using ReplugState = InterGuest.Protos.V1.ReplugState;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Re-plugs by policy and by command, against a QMP server that answers as QEMU does.</summary>
public class ReplugLinkTests
{
    private const ulong Sends = Features.NetChecksum | Features.NetHostTso4;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ThePolicyPlugsOutWhatDoesNotFitAndWaitsForTheGuest(bool isLinkedLater)
    {
        using var board = new TestSwitch();
        string a = board.AddPort("a"), b = board.AddPort("b");
        await using var qemu = new FakeQemu { PortSocket = a };
        board.Do(s => s.SetPort("a", qmpSocket: qemu.Path));
        void Link() => board.Do(s => s.CreateLink("wire", ["a", "b"], null, policy: LinkPolicy.Replug));
        if (!isLinkedLater)
            Link();
        using var first = TestGuest.Run(a, new() { Features = TestGuest.PlainFeatures | Sends });
        using var second = TestGuest.Run(b);
        if (isLinkedLater)
        {
            Wait.Until(() => board.Port("a").RunningQueuePairs == 1 && board.Port("b").RunningQueuePairs == 1, "both guests run");
            Link();
        }
        var replug = ReplugWhen(board, r => r.Text == "waits for the guest to take the device");
        Assert.Equal((ReplugState.Running, "a"), (replug.State, replug.Port));
        var added = qemu.Changes.Last().Arguments!;
        Assert.Equal((false, false, true), (added["csum"]!.GetValue<bool>(), added["host_tso4"]!.GetValue<bool>(), added["guest_csum"]!.GetValue<bool>()));
        // The guest takes the device again.
        first.FrontEnd.Set(Virtio.VhostUser.RequestCode.SetFeatures, TestGuest.PlainFeatures);
        ReplugWhen(board, r => r.State == ReplugState.Done);
        Assert.Contains(board.Events, e => e.Contains("re-plug: device net0 is plugged in without csum, host_tso4", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WithoutThePolicyOnlyTheCommandDoesIt()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join(new() { Features = TestGuest.PlainFeatures | Sends });
        using var _ = a;
        using var __ = b;
        var missing = Assert.Throws<SwitchException>(() => board.Do(s => s.ReplugLink("wire")));
        Assert.Contains("port a has no QMP socket", missing.Message, StringComparison.Ordinal);
        await using var qemu = new FakeQemu { PortSocket = board.Port("a").SocketPath };
        board.Do(s => s.SetPort("a", qmpSocket: qemu.Path));
        Assert.Empty(board.Link("wire").Replugs);
        board.Do(s => s.ReplugLink("wire"));
        Assert.Contains("goes on already", Assert.Throws<SwitchException>(() => board.Do(s => s.ReplugLink("wire"))).Message, StringComparison.Ordinal);
        ReplugWhen(board, r => r.Text == "waits for the guest to take the device");
    }

    [Fact]
    public async Task WhatFailsIsSaidAndNotTriedAgainByThePolicy()
    {
        using var board = new TestSwitch();
        await using var qemu = new FakeQemu { PortSocket = "/of/another/port.sock" };
        string a = board.AddPort("a"), b = board.AddPort("b");
        board.Do(s => s.SetPort("a", qmpSocket: qemu.Path));
        board.Do(s => s.CreateLink("wire", ["a", "b"], null, policy: LinkPolicy.Replug));
        using var first = TestGuest.Run(a, new() { Features = TestGuest.PlainFeatures | Sends });
        using var second = TestGuest.Run(b);
        var replug = ReplugWhen(board, r => r.State == ReplugState.Failed);
        Assert.Contains("no character device", replug.Text, StringComparison.Ordinal);
        board.Do(s => s.SetLinkUp("wire", false));
        board.Do(s => s.SetLinkUp("wire", true));
        Assert.Equal(replug, board.Link("wire").Replugs.Single());
        Assert.Equal(LinkState.Up, board.Link("wire").State);
    }

    [Fact]
    public void GuestsThatFitHaveNothingToRePlug()
    {
        using var board = new TestSwitch();
        var (a, b) = board.Join();
        using var _ = a;
        using var __ = b;
        Assert.Contains("nothing to re-plug", Assert.Throws<SwitchException>(() => board.Do(s => s.ReplugLink("wire"))).Message, StringComparison.Ordinal);
        Assert.Contains("qmp_socket: ", Assert.Throws<SwitchException>(() => board.Do(s => s.SetPort("a", qmpSocket: "relative"))).Message, StringComparison.Ordinal);
    }

    private static Protos.V1.Replug ReplugWhen(TestSwitch board, Func<Protos.V1.Replug, bool> condition)
    {
        Protos.V1.Replug? replug = null;
        Wait.Until(() => (replug = board.Link("wire").Replugs.SingleOrDefault()) != null && condition(replug), $"the re-plug goes on; it is {board.Link("wire").Replugs}");
        return replug!;
    }
}
