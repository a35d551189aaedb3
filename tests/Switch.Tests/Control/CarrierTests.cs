using InterGuest.Testing;
using InterGuest.Virtio.VhostUser;
using PortState = InterGuest.Protos.V1.PortState;
using PortType = InterGuest.Switch.Ports.PortType;

namespace InterGuest.Switch.Tests.Control;

/// <summary>
/// A guest whose port follows the other end sees no carrier while that is gone. QEMU shows a network device without a carrier
/// while its vhost-user socket is closed, and only then (notes/peers.md, section 2, Link down).
/// </summary>
public sealed class CarrierTests : IDisposable
{
    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    [Fact]
    public void ALinkSetDownCutsThePortThatFollowsAndNoOther()
    {
        var (a, b) = Follower();
        using (a)
        using (b)
        {
            _switch.Do(s => s.SetLinkUp("wire", false));
            _switch.PortIn(PortState.Waiting, "a");
            Assert.False(File.Exists(_switch.Port("a").SocketPath));
            Assert.Throws<IOException>(() => a.FrontEnd.Get(RequestCode.GetFeatures));
            Assert.Equal(PortState.Running, _switch.Port("b").State);

            _switch.Do(s => s.SetLinkUp("wire", true));
            _switch.PortIn(PortState.Listening, "a");
            using var again = TestGuest.Run(_switch.Port("a").SocketPath);
            Exchange.BothWays(again, b);
        }
    }

    [Fact]
    public void ThePeersVmmGoesAndComes()
    {
        var (a, b) = Follower();
        using (a)
        {
            Exchange.BothWays(a, b);
            b.Dispose();
            _switch.PortIn(PortState.Waiting, "a");
            using var second = TestGuest.Run(_switch.Port("b").SocketPath);
            _switch.PortIn(PortState.Listening, "a");
            using var again = TestGuest.Run(_switch.Port("a").SocketPath);
            Exchange.BothWays(again, second);
        }
    }

    /// <summary>Both ends are cut off at once, and neither waits for the other for ever.</summary>
    [Fact]
    public void BothFollowAndBothComeBack()
    {
        var (a, b) = Follower();
        _switch.Do(s => s.SetPort("b", followsPeer: true));
        using (a)
        using (b)
        {
            _switch.Do(s => s.SetLinkUp("wire", false));
            _switch.PortIn(PortState.Waiting, "a");
            _switch.PortIn(PortState.Waiting, "b");
            _switch.Do(s => s.SetLinkUp("wire", true));
            _switch.PortIn(PortState.Listening, "b");
            using var again = TestGuest.Run(_switch.Port("a").SocketPath);
            using var second = TestGuest.Run(_switch.Port("b").SocketPath);
            Exchange.BothWays(again, second);
        }
    }

    [Fact]
    public void APortThatDoesNotFollowAnyMoreIsOpenAgain()
    {
        var (a, b) = Follower();
        using (a)
        using (b)
        {
            _switch.Do(s => s.DeleteLink("wire"));
            _switch.PortIn(PortState.Waiting, "a");
            var finding = Switch.Diagnosis.Doctor.Examine([_switch.Port("a")], [], File.Exists).Findings[0];
            Assert.Equal("carrier_cut", finding.Code);
            _switch.Do(s => s.SetPort("a", followsPeer: false));
            using var again = TestGuest.Run(_switch.Port("a").SocketPath);
            _switch.PortIn(PortState.Running, "a");
        }
    }

    /// <summary>QEMU waits for its back-end when it starts: a VM must be able to, without the other one.</summary>
    [Fact]
    public void ADriverThatHasNotStartedIsNotCutOff()
    {
        string socket = _switch.AddPort("a");
        _switch.Do(s => s.SetPort("a", followsPeer: true));
        using var guest = new TestGuest();
        guest.Connect(socket);
        Assert.NotEqual(0ul, guest.FrontEnd.Get(RequestCode.GetFeatures));
        Assert.Equal(PortState.Connected, _switch.Port("a").State);
        guest.Start();
        _switch.PortIn(PortState.Waiting, "a");
    }

    [Fact]
    public void OnlyANetworkPortHasACarrier()
    {
        _switch.AddPort("a", type: PortType.Console);
        var refused = Assert.Throws<SwitchException>(() => _switch.Do(s => s.SetPort("a", followsPeer: true)));
        Assert.Contains("carrier: a port of type console has none", refused.Message, StringComparison.Ordinal);
    }

    private (TestGuest A, TestGuest B) Follower()
    {
        var guests = _switch.Join();
        _switch.Do(s => s.SetPort("a", followsPeer: true));
        return guests;
    }
}
