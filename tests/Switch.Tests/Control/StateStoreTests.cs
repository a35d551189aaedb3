using InterGuest.Switch.Control;
using InterGuest.Switch.Ports;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using Microsoft.Extensions.Logging.Abstractions;
using SocketMode = InterGuest.Switch.Ports.SocketMode;

namespace InterGuest.Switch.Tests.Control;

/// <summary>What is configured survives a restart (DESIGN, promise 5).</summary>
public sealed class StateStoreTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string StateFile => _directory.At("state/state.json");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task PortsAndLinksAreThereAgain()
    {
        string before = await WithSwitch(board =>
        {
            board.CreatePort("a", SocketMode.Listen, "", 4);
            board.CreatePort("b", SocketMode.Connect, _directory.At("guest.sock"), 1);
            board.CreatePort("c", SocketMode.Listen, _directory.At("elsewhere.sock"), 128);
            board.CreatePort("d", SocketMode.Listen, "", 1);
            board.CreateLink("l", ["c", "a"], TimeSpan.FromMilliseconds(1234.5));
            board.CreateLink("m", ["b", "d"], TimeSpan.Zero);
            board.SetLinkUp("m", false);
            board.CreatePort("gone", SocketMode.Listen, "", 1);
            board.DeletePort("gone");
            return Describe(board);
        });
        Assert.Equal(before, await WithSwitch(Describe));
        Assert.Equal(
            "a Listen a.sock 4; b Connect guest.sock 1; c Listen elsewhere.sock 128; d Listen d.sock 1; l c-a True 1234.5; m b-d False 0", before);
    }

    [Fact]
    public async Task LimitsAreThereAgain()
    {
        var limits = new PortLimits(100_000_000, 65_536, 0);
        await WithSwitch(board => board.CreatePort("a", new PortSpec(SocketMode.Listen, "", 1)));
        await WithSwitch(board => board.SetPort("a", limits));
        Assert.Equal(limits, await WithSwitch(board => board.GetPort("a").Spec.Limits));
    }

    [Fact]
    public async Task AnOfferIsNotTakenBackByARestart()
    {
        // The peer takes no offloads, but only said so after this guest had been offered them.
        ulong offered = await WithSwitch(board =>
        {
            board.CreatePort("a", SocketMode.Listen, "", 1);
            board.CreatePort("b", SocketMode.Listen, "", 1);
            board.CreateLink("l", ["a", "b"], null);
            return 0UL;
        }, _ =>
        {
            using var guest = new TestGuest();
            guest.Connect(_directory.At("a.sock"));
            return guest.Offered;
        });
        Assert.NotEqual(0ul, offered & Features.NetChecksum);
        await WithSwitch(_ => 0, _ =>
        {
            using var peer = TestGuest.Run(_directory.At("b.sock"));
            using var guest = new TestGuest();
            guest.Connect(_directory.At("a.sock"));
            Assert.Equal(offered, guest.Offered & offered);
            return 0;
        });
    }

    /// <summary>A reboot empties /run, where the directory of the sockets is.</summary>
    [Fact]
    public async Task TheSocketDirectoryIsMadeAgain()
    {
        string sockets = _directory.At("run/ports");
        await WithSwitch(board => board.CreatePort("a", SocketMode.Listen, "", 1), sockets: sockets);
        Directory.Delete(_directory.At("run"), recursive: true);
        Assert.Equal("a Listen a.sock 1", await WithSwitch(Describe, sockets: sockets));
    }

    public static TheoryData<string> Damaged =>
    [
        "", "{", "null", "[]", "{\"version\":1}", "{\"version\":1,\"ports\":[{}],\"links\":[]}",
        "{\"version\":1,\"ports\":[null],\"links\":[]}",
        "{\"version\":1,\"ports\":[],\"links\":[{\"name\":\"l\",\"adminUp\":true,\"holdMilliseconds\":1}]}",
        "{\"version\":1,\"ports\":[],\"links\":[{\"name\":\"l\",\"ports\":[\"a\",\"b\"],\"adminUp\":true,\"holdMilliseconds\":1e300}]}",
        "{\"version\":1,\"ports\":[{\"name\":\"a\",\"mode\":\"Listen\",\"socketPath\":\"/x\",\"queuePairs\":1,\"offered\":\"zz\"}],\"links\":[]}",
        "{\"version\":1,\"ports\":[{\"name\":\"a\",\"mode\":\"Sideways\",\"socketPath\":\"/x\",\"queuePairs\":1,\"offered\":\"0\"}],\"links\":[]}",
    ];

    /// <summary>Either it is refused by name, or what is sound in it is taken; never an error that nobody explains.</summary>
    [Theory]
    [MemberData(nameof(Damaged))]
    public async Task ADamagedFileIsNamedAndLeftAsItIs(string text)
    {
        Directory.CreateDirectory(_directory.At("state"));
        await File.WriteAllTextAsync(StateFile, text);
        var error = await Record.ExceptionAsync(() => WithSwitch(Describe));
        Assert.Contains(StateFile, Assert.IsType<SwitchException>(error).Message, StringComparison.Ordinal);
        Assert.Equal(text, await File.ReadAllTextAsync(StateFile));
    }

    /// <summary>The last good state is kept beside it, and offered.</summary>
    [Fact]
    public async Task TheStateBeforeTheLastChangeIsOfferedInPlaceOfADamagedOne()
    {
        string previous = StateFile + ".previous";
        await WithSwitch(board =>
        {
            board.CreatePort("a", SocketMode.Listen, "", 1);
            return board.CreatePort("b", SocketMode.Listen, "", 1);
        });
        await WithSwitch(Describe); // nothing changes, and nothing is written
        string text = await File.ReadAllTextAsync(StateFile);
        await File.WriteAllTextAsync(StateFile, text[..(text.Length / 2)]); // as a disk that was full leaves it
        var error = await Assert.ThrowsAsync<SwitchException>(() => WithSwitch(Describe));
        Assert.Contains($"{StateFile} is damaged at line ", error.Message, StringComparison.Ordinal);
        Assert.EndsWith($"The state before the last change is whole (1 ports, 0 links): mv {previous} {StateFile}", error.Message, StringComparison.Ordinal);
        File.Move(previous, StateFile, overwrite: true);
        Assert.Equal("a Listen a.sock 1", await WithSwitch(Describe));
    }

    [Fact]
    public async Task ADamagedStateBeforeTheLastChangeIsNotOffered()
    {
        Directory.CreateDirectory(_directory.At("state"));
        await File.WriteAllTextAsync(StateFile, "{");
        await File.WriteAllTextAsync(StateFile + ".previous", "{");
        var error = await Assert.ThrowsAsync<SwitchException>(() => WithSwitch(Describe));
        Assert.EndsWith("move it away to begin without ports", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFileOfALaterSwitchIsLeftAsItIs()
    {
        const string text = "{\"version\":99,\"ports\":[],\"links\":[]}";
        Directory.CreateDirectory(_directory.At("state"));
        await File.WriteAllTextAsync(StateFile, text);
        var error = await Assert.ThrowsAsync<SwitchException>(() => WithSwitch(Describe));
        Assert.Contains($"{StateFile} is of version 99", error.Message, StringComparison.Ordinal);
        Assert.Contains("Move it away", error.Message, StringComparison.Ordinal);
        Assert.Equal(text, await File.ReadAllTextAsync(StateFile));
    }

    [Fact]
    public async Task AFileThatCannotBeReadIsNamed()
    {
        Directory.CreateDirectory(StateFile);
        var error = await Record.ExceptionAsync(() => WithSwitch(Describe));
        Assert.Contains(StateFile, Assert.IsType<SwitchException>(error).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAWritableDirectoryTheSwitchRuns()
    {
        await File.WriteAllTextAsync(_directory.At("state"), "in the way");
        Assert.Equal("a Listen a.sock 1", await WithSwitch(board =>
        {
            board.CreatePort("a", SocketMode.Listen, "", 1);
            return Describe(board);
        }));
    }

    [Fact]
    public async Task AStateThatCannotBeWrittenLeavesTheOldOneWhole()
    {
        await WithSwitch(board => board.CreatePort("a", SocketMode.Listen, "", 1));
        string before = await File.ReadAllTextAsync(StateFile);
        Directory.CreateDirectory(StateFile + ".new"); // in the way of the new file
        await WithSwitch(board => board.CreatePort("b", SocketMode.Listen, "", 1));
        Assert.Equal(before, await File.ReadAllTextAsync(StateFile));
        Directory.Delete(StateFile + ".new");
        Assert.Equal("a Listen a.sock 1", await WithSwitch(Describe));
    }

    /// <summary>
    /// What cannot be made at this start (another process at its socket, a directory not mounted yet) is configured all the
    /// same: a later start must find it.
    /// </summary>
    [Fact]
    public async Task APortThatCannotBeRestoredNowIsNotForgotten()
    {
        string place = _directory.At("mount");
        Directory.CreateDirectory(place);
        string before = await WithSwitch(board =>
        {
            board.CreatePort("a", SocketMode.Listen, place + "/a.sock", 1);
            board.CreatePort("b", SocketMode.Listen, "", 1);
            board.CreateLink("l", ["a", "b"], null);
            return Describe(board);
        });
        Directory.Move(place, place + ".away");
        Assert.Equal("b Listen b.sock 1", await WithSwitch(Describe));
        Directory.Move(place + ".away", place);
        Assert.Equal(before, await WithSwitch(Describe));
    }

    private static string Describe(Switchboard board) => string.Join("; ", [
        .. board.Ports.Select(p => $"{p.Name} {p.Spec.Mode} {Path.GetFileName(p.Spec.SocketPath)} {p.Spec.QueuePairs}"),
        .. board.Links.Select(l => $"{l.Name} {l.Ports[0].Name}-{l.Ports[1].Name} {l.AdminUp} {l.Hold.TotalMilliseconds}"),
    ]);

    /// <summary>The life of a switch: it starts, does something on its control thread, then something beside it, and ends.</summary>
    private async Task<T> WithSwitch<T>(Func<Switchboard, T> work, Func<T, T>? beside = null, string? sockets = null)
    {
        var options = new SwitchOptions { SocketDirectory = sockets ?? _directory.Root, StateDirectory = _directory.At("state"), EventLoops = 1 };
        using var board = new Switchboard(options, TimeProvider.System, _ => { });
        var host = new SwitchHost(board, new EventHub(), new StateStore(options.StateDirectory), NullLogger<SwitchHost>.Instance, TimeProvider.System);
        await host.StartAsync(default);
        try
        {
            T result = await board.InvokeAsync(() => work(board));
            return beside == null ? result : beside(result);
        }
        finally
        {
            await host.StopAsync(default);
        }
    }
}
