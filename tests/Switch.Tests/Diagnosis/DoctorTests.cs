using InterGuest.Protos.V1;
using InterGuest.Switch.Diagnosis;
using InterGuest.Testing;
using InterGuest.Virtio.VhostUser;
using FrontEnd = InterGuest.Virtio.VhostUser.FrontEnd;

namespace InterGuest.Switch.Tests.Diagnosis;

/// <summary>A guest that stops at each step of its start, and what the doctor says of it (vhost-user specification, "Starting and stopping rings").</summary>
public sealed class DoctorTests : IDisposable
{
    private readonly TestSwitch _board = new();
    private readonly string _socket;

    public DoctorTests()
    {
        _socket = _board.AddPort("a");
        _board.AddPort("b");
        _board.AddLink("l", "a", "b");
    }

    public void Dispose() => _board.Dispose();

    [Fact]
    public void NobodyHasConnected()
    {
        var finding = Problem("no_front_end");
        Assert.Contains(_socket, finding.Text, StringComparison.Ordinal);
        Assert.Contains("interguest qemu a", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void TheSocketWasRemoved()
    {
        File.Delete(_socket);
        Assert.Contains(_socket, Problem("socket_missing").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void OneConnectedAndSaysNothing()
    {
        using var guest = FrontEnd.Connect(_socket, TestGuest.Patience);
        _board.PortIn(PortState.Connected, "a");
        Assert.Contains($"process {Environment.ProcessId}", Problem("silent_front_end").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void TheGuestHasNoDriver()
    {
        using var guest = Connected();
        Assert.Contains("SET_OWNER", Problem("no_driver").Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x3, "DRIVER: there is one")]
    [InlineData(0x80, "FAILED")]
    public void TheDriverSaysHowFarItIs(byte status, string words)
    {
        using var guest = Connected();
        guest.FrontEnd.Set(RequestCode.SetStatus, status);
        Assert.Contains(words, Problem("no_driver").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void TheMemoryIsNotShared()
    {
        using var guest = Connected();
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        var finding = Problem("memory_not_shared");
        Assert.Contains("SET_FEATURES", finding.Text, StringComparison.Ordinal);
        Assert.Contains("share=on", finding.Remedy, StringComparison.Ordinal);
    }

    /// <summary>As QEMU without share=on does: it goes on without a region.</summary>
    [Fact]
    public void ARingIsStartedWithoutMemory()
    {
        using var guest = Connected();
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        guest.FrontEnd.SetMemoryTable();
        guest.StartRing(0, 0);
        _board.PortIn(PortState.Faulted, "a");
        Assert.Contains("share=on", Problem("memory_not_shared").Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void NoRingIsSetUp()
    {
        using var guest = WithMemory();
        var finding = Problem("no_rings");
        Assert.Contains("1 regions", finding.Text, StringComparison.Ordinal);
        Assert.Contains("SET_MEM_TABLE", finding.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void ARingLacksSomething()
    {
        using var guest = WithMemory();
        guest.StartRing(0, 0);
        guest.FrontEnd.SetVring(RequestCode.SetVringNum, 1, 64);
        var finding = Problem("rings_incomplete");
        Assert.Contains("ring 1 lacks its addresses (SET_VRING_ADDR), its kick (SET_VRING_KICK)", finding.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("ring 0", finding.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void OnlyOneRingOfThePairIsSetUp()
    {
        using var guest = WithMemory();
        guest.StartRing(0, 0);
        guest.FrontEnd.SetVring(RequestCode.SetVringEnable, 0, 1);
        Problem("rings_missing");
    }

    [Fact]
    public void TheRingsAreNotEnabled()
    {
        using var guest = WithMemory();
        guest.StartRing(0, 0);
        guest.StartRing(1, 0);
        guest.FrontEnd.SetVring(RequestCode.SetVringEnable, 0, 1);
        var finding = Problem("rings_disabled");
        Assert.Contains("ring 1 of them", finding.Text, StringComparison.Ordinal);
        Assert.Contains("SET_VRING_ENABLE", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void TheDriverWasStopped()
    {
        using var guest = TestGuest.Run(_socket);
        guest.FrontEnd.StopVring(0);
        guest.FrontEnd.StopVring(1);
        Problem("driver_stopped");
    }

    [Fact]
    public void TheVmHasGone()
    {
        TestGuest.Run(_socket).Dispose();
        _board.PortIn(PortState.Listening, "a");
        Assert.Contains("it closed the connection", Problem("no_front_end").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void TheGuestBrokeTheRules()
    {
        using var guest = TestGuest.Run(_socket);
        Assert.Throws<IOException>(() => guest.FrontEnd.SetVring(RequestCode.SetVringNum, 0, 3));
        _board.PortIn(PortState.Faulted, "a");
        Assert.Contains("power of two", Problem("faulted").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void AConnectionCannotBeMade()
    {
        string nowhere = _board.Directory.At("nobody.sock");
        _board.AddPort("c", mode: InterGuest.Switch.Ports.SocketMode.Connect, socketPath: nowhere);
        _board.PortWhen("c", p => p.ConnectError != "", "the attempt has failed");
        var finding = Problem("cannot_connect", "c");
        Assert.Contains("No such file or directory", finding.Text, StringComparison.Ordinal);
        Assert.Contains("server=on", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void ASecondVmWaits()
    {
        using var first = TestGuest.Run(_socket);
        using var second = FrontEnd.Connect(_socket, TestGuest.Patience);
        _board.PortWhen("a", p => p.WaitingFrontEnd != null, "the second waits");
        Assert.Contains(Examine("a").Findings, f => f is { Code: "second_front_end", Severity: Severity.Warning });
    }

    [Fact]
    public void APortIsInNoLink()
    {
        using var guest = TestGuest.Run(_board.AddPort("c"));
        Assert.Contains("link add", Problem("not_linked", "c").Remedy, StringComparison.Ordinal);
        Assert.Contains(Examine("c").Findings, f => f.Code == "running");
    }

    [Fact]
    public void AllIsWell()
    {
        using var a = TestGuest.Run(_socket);
        using var b = TestGuest.Run(_board.Port("b").SocketPath);
        Assert.Contains(ExamineLink().Findings, f => f is { Code: "nothing_flowed", Severity: Severity.Note });
        Exchange.BothWays(a, b);
        var diagnosis = ExamineLink();
        Assert.True(diagnosis.Works, $"{diagnosis}");
        Assert.All(diagnosis.Findings, f => Assert.Equal(Severity.Good, f.Severity));
        Assert.Equal(["link_up", "flowing", "flowing", "running", "running"], diagnosis.Findings.Select(f => f.Code));
    }

    [Fact]
    public void ALinkSaysWhichSideIsMissing()
    {
        using var a = TestGuest.Run(_socket);
        var diagnosis = ExamineLink();
        Assert.False(diagnosis.Works);
        Assert.Equal(["link l waiting", "port b no_front_end"], diagnosis.Findings.Where(f => f.Severity == Severity.Problem).Select(f => $"{f.Subject} {f.Code}"));
    }

    [Fact]
    public void ALinkWasSetDownAndFramesWereLost()
    {
        using var a = TestGuest.Run(_socket);
        using var b = TestGuest.Run(_board.Port("b").SocketPath);
        _board.Do(s => s.SetLinkUp("l", false));
        Exchange.ToNowhere(a, 3);
        var diagnosis = ExamineLink();
        Assert.Equal("interguest link up l", diagnosis.Findings.Single(f => f.Code == "link_down").Remedy);
        var drops = diagnosis.Findings.Single(f => f.Code == "drops");
        Assert.Equal((Severity.Warning, "port a"), (drops.Severity, drops.Subject));
        Assert.Contains("3 frames", drops.Text, StringComparison.Ordinal);
        Assert.Contains("link_down", drops.Text, StringComparison.Ordinal);
    }

    private TestGuest Connected()
    {
        var guest = new TestGuest();
        guest.Connect(_socket);
        return guest;
    }

    private TestGuest WithMemory()
    {
        var guest = Connected();
        guest.FrontEnd.Set(RequestCode.SetFeatures, guest.Features);
        guest.FrontEnd.SetMemoryTable((guest.Memory.Layout, guest.Memory.File));
        return guest;
    }

    /// <summary>The one problem of a port that nothing else is wrong with.</summary>
    private Finding Problem(string code, string port = "a")
    {
        var diagnosis = Examine(port);
        Assert.False(diagnosis.Works);
        var problem = diagnosis.Findings.First(f => f.Severity == Severity.Problem);
        Assert.Equal((code, $"port {port}"), (problem.Code, problem.Subject));
        Assert.NotEmpty(problem.Remedy);
        return problem;
    }

    private Protos.V1.Diagnosis Examine(string port) => Doctor.Examine([_board.Port(port)], [], File.Exists);

    private Protos.V1.Diagnosis ExamineLink() => Doctor.Examine([_board.Port("a"), _board.Port("b")], [_board.Link("l")], File.Exists);
}
