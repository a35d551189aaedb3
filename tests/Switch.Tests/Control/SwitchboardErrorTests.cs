using System.Net.Sockets;
using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Tests.Control;

/// <summary>What owners get wrong: each error names the thing and the remedy, and changes nothing.</summary>
public sealed class SwitchboardErrorTests : IDisposable
{
    private readonly TestSwitch _board = new();

    public void Dispose() => _board.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData("-a")]
    [InlineData("a b")]
    [InlineData("a\n")]
    [InlineData("ä")]
    [InlineData("a\0")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")] // 65
    public void NamesHaveAForm(string name)
    {
        AssertFails(SwitchError.Invalid, () => Port(name), $"name: '{name}' is not a name", "1 to 64 letters");
        AssertFails(SwitchError.Invalid, () => _board.AddLink(name, "a", "b"), $"name: '{name}' is not a name");
    }

    [Theory]
    [InlineData("a")]
    [InlineData("0.b_C-9")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")] // 64
    public void SoundNamesDo(string name)
    {
        Port(name, socketPath: _board.Directory.At("x"));
        Assert.Equal(name, _board.Port(name).Name);
    }

    [Fact]
    public void APathMayHave107Bytes()
    {
        string path = _board.Directory.At("").PadRight(107, 'x');
        Assert.Equal(107, path.Length);
        Assert.Equal(path, Port("a", socketPath: path));
        AssertFails(SwitchError.Invalid, () => Port("b", socketPath: path + "x"), "socket_path: ", "longer than the 107 bytes", "Choose a shorter one");
        // Bytes, not characters.
        AssertFails(SwitchError.Invalid, () => Port("b", socketPath: path[..^1] + "ä"), "socket_path: ");
    }

    [Fact]
    public void APathIsAbsolute() => AssertFails(SwitchError.Invalid, () => Port("a", socketPath: "a.sock"), "socket_path: a.sock is not absolute");

    /// <summary>The kernel would take the path to end at the zero, and the switch would show another than it listens at.</summary>
    [Fact]
    public void APathHasNoZeroByte() =>
        AssertFails(SwitchError.Invalid, () => Port("a", socketPath: _board.Directory.At("a\0b")), "socket_path: ");

    [Fact]
    public void ASocketInUseByAnotherProcessIsLeftAlone()
    {
        string path = _board.Directory.At("x.sock");
        using var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        other.Bind(new UnixDomainSocketEndPoint(path));
        other.Listen();
        AssertFails(SwitchError.Precondition, () => Port("a", socketPath: path), path, "in use", "Choose another path");
        Assert.True(File.Exists(path));
    }

    [Fact]
    public void ASocketNobodyListensAtIsReplaced()
    {
        string path = _board.Directory.At("x.sock");
        using (var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            other.Bind(new UnixDomainSocketEndPoint(path));
            File.Move(path, path + ".kept"); // a dispose removes it
        }
        File.Move(path + ".kept", path);
        Assert.Equal(path, Port("a", socketPath: path));
        Assert.Equal("-rw-rw----", Mode(path));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatIsNotASocketIsLeftAlone(bool directory)
    {
        string path = _board.Directory.At("file");
        if (directory)
            Directory.CreateDirectory(path);
        else
            File.WriteAllText(path, "precious");
        AssertFails(SwitchError.Precondition, () => Port("a", socketPath: path), path, "not a socket", "Choose another path");
        Assert.True(directory ? Directory.Exists(path) : File.ReadAllText(path) == "precious");
    }

    [Fact]
    public void ASocketInUseByAnotherPortIsNamed()
    {
        string path = Port("a");
        AssertFails(SwitchError.Precondition, () => Port("b", socketPath: path), path, "in use by port a");
        // The same file by another name.
        AssertFails(SwitchError.Precondition, () => Port("b", socketPath: _board.Directory.At("../") + Path.GetFileName(_board.Directory.Root) + "/a.sock"), "in use");
    }

    [Fact]
    public void ADirectoryThatIsMissingIsNamed()
    {
        string directory = _board.Directory.At("missing");
        AssertFails(SwitchError.Precondition, () => Port("a", socketPath: directory + "/a.sock"), $"the directory {directory} does not exist", "Make it");
    }

    [Fact]
    public void ADirectoryThatIsAFileIsNamed()
    {
        string file = _board.Directory.At("file");
        File.WriteAllText(file, "");
        AssertFails(SwitchError.Precondition, () => Port("a", socketPath: file + "/a.sock"), file);
    }

    [Fact]
    public void ASocketDirectoryThatCannotBeMadeIsNamed()
    {
        using var board = new TestSwitch(socketDirectory: root =>
        {
            File.WriteAllText(Path.Combine(root, "file"), "");
            return Path.Combine(root, "file", "ports");
        });
        AssertFails(SwitchError.Precondition, () => board.AddPort("a"), board.Directory.At("file/ports"), "--socket-dir");
        Assert.Empty(board.Do(b => b.Ports.ToArray()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(129)]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void QueuePairsHaveBounds(int pairs) => AssertFails(SwitchError.Invalid, () => Port("a", pairs: pairs), $"queue_pairs: {pairs} is not between 1 and 128");

    [Fact]
    public void APortOfThatNameIsThere()
    {
        Port("a");
        AssertFails(SwitchError.AlreadyExists, () => Port("a"), "port a exists already", "interguest port remove a");
    }

    [Fact]
    public void NothingOfThatNameIsThere()
    {
        Port("a");
        AssertFails(SwitchError.NotFound, () => _board.Do(b => b.GetPort("x")), "no port x", "interguest port list");
        AssertFails(SwitchError.NotFound, () => _board.Do(b => b.DeletePort("x")), "no port x");
        AssertFails(SwitchError.NotFound, () => _board.AddLink("l", "a", "x"), "no port x");
        AssertFails(SwitchError.NotFound, () => _board.Do(b => b.GetLink("x")), "no link x", "interguest link list");
        AssertFails(SwitchError.NotFound, () => _board.Do(b => b.DeleteLink("x")), "no link x");
        AssertFails(SwitchError.NotFound, () => _board.Do(b => b.SetLinkUp("x", true)), "no link x");
    }

    [Fact]
    public void ALinkHasTwoDifferentPorts()
    {
        foreach (string name in new[] { "a", "b", "c" })
            Port(name);
        foreach (string[] ports in new string[][] { [], ["a"], ["a", "a"], ["a", "b", "c"] })
            AssertFails(SwitchError.Invalid, () => _board.Do(b => b.CreateLink("l", ports, null)), "ports: a link joins two different ports");
        Assert.Empty(_board.Do(b => b.Links.ToArray()));
    }

    [Fact]
    public void APortHasOneLink()
    {
        foreach (string name in new[] { "a", "b", "c" })
            Port(name);
        _board.AddLink("l", "a", "b");
        AssertFails(SwitchError.AlreadyExists, () => _board.AddLink("l", "a", "c"), "link l exists already", "interguest link remove l");
        AssertFails(SwitchError.Precondition, () => _board.AddLink("m", "c", "b"), "port b is linked already, by link l", "interguest link remove l");
        AssertFails(SwitchError.Precondition, () => _board.Do(b => b.DeletePort("a")), "port a is used by link l", "interguest link remove l");
        _board.Do(b => b.DeleteLink("l"));
        _board.AddLink("m", "c", "b");
        _board.Do(b => b.DeletePort("a"));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(60_001)]
    public void AHoldHasBounds(int milliseconds)
    {
        Port("a");
        Port("b");
        AssertFails(SwitchError.Invalid, () => _board.AddLink("l", "a", "b", TimeSpan.FromMilliseconds(milliseconds)), "hold: ", "between 0 and 60");
    }

    /// <summary>Somebody may have put something else where the socket was; that must not keep the port.</summary>
    [Fact]
    public void APortWhoseSocketWasTakenAwayCanBeRemoved()
    {
        string path = Port("a");
        using var guest = Testing.TestGuest.Run(path);
        File.Delete(path);
        Directory.CreateDirectory(path);
        var error = Record.Exception(() => _board.Do(b => b.DeletePort("a")));
        Assert.Null(error);
        Assert.Throws<IOException>(() => guest.FrontEnd.Get(Virtio.VhostUser.RequestCode.GetFeatures));
    }

    private static string Mode(string path)
    {
        var mode = File.GetUnixFileMode(path);
        return "-" + string.Concat("rwxrwxrwx".Select((c, i) => ((int)mode >> (8 - i) & 1) == 1 ? c : '-'));
    }

    private string Port(string name, int pairs = 1, string socketPath = "") => _board.AddPort(name, pairs, SocketMode.Listen, socketPath);

    private static void AssertFails(SwitchError kind, Action action, params string[] texts)
    {
        var error = Assert.Throws<SwitchException>(action);
        Assert.Equal(kind, error.Kind);
        Assert.All(texts, text => Assert.Contains(text, error.Message, StringComparison.Ordinal));
    }
}
