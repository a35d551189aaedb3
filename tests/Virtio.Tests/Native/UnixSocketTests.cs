using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Native;

public sealed class UnixSocketTests : IDisposable
{
    private const int EADDRINUSE = 98;

    private readonly TempDirectory _directory = new();

    private string Socket => _directory.File("s");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void ConnectAndAccept()
    {
        using var listener = UnixSocket.Listen(Socket, 0x180);
        Assert.Null(UnixSocket.Accept(listener));
        using var client = UnixSocket.Connect(Socket);
        using var server = UnixSocket.Accept(listener);
        Assert.NotNull(server);
        Assert.Equal(8, Fds.Write(client, 42));
        Assert.Equal(42UL, Read(server));
        Assert.Null(UnixSocket.Accept(listener));
    }

    [Fact]
    public void StaleSocketFileIsReplaced()
    {
        UnixSocket.Listen(Socket, 0x180).Dispose();
        Assert.True(UnixSocket.IsSocket(Socket));
        using var listener = UnixSocket.Listen(Socket, 0x180);
        using var client = UnixSocket.Connect(Socket);
    }

    [Fact]
    public void LiveSocketIsRefusedWithAddressInUseAndLivesOn()
    {
        using var first = UnixSocket.Listen(Socket, 0x180);
        var e = Assert.Throws<NativeException>(() => UnixSocket.Listen(Socket, 0x180));
        Assert.Equal(EADDRINUSE, e.Error);
        Assert.False(UnixSocket.RemoveStale(Socket));
        using var client = UnixSocket.Connect(Socket);
    }

    [Fact]
    public void LiveSocketWithAFullBacklogIsNotTakenForStale()
    {
        using var listener = UnixSocket.Listen(Socket, 0x180);
        var clients = new List<FileDescriptor>();
        try
        {
            while (clients.Count < 1000)
                clients.Add(UnixSocket.Connect(Socket));
            Assert.Fail("the backlog has no end");
        }
        catch (NativeException e)
        {
            Assert.Equal(Libc.EAGAIN, e.Error);
        }
        Assert.False(UnixSocket.RemoveStale(Socket));
        Assert.True(UnixSocket.IsSocket(Socket));
        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public void RegularFileInTheWayIsLeftAlone()
    {
        File.WriteAllText(Socket, "mine");
        Assert.Equal(EADDRINUSE, Assert.Throws<NativeException>(() => UnixSocket.Listen(Socket, 0x180)).Error);
        Assert.False(UnixSocket.RemoveStale(Socket));
        Assert.Equal("mine", File.ReadAllText(Socket));
    }

    [Fact]
    public void DirectoryInTheWayIsLeftAlone()
    {
        Directory.CreateDirectory(Socket);
        Assert.Equal(EADDRINUSE, Assert.Throws<NativeException>(() => UnixSocket.Listen(Socket, 0x180)).Error);
        Assert.True(Directory.Exists(Socket));
    }

    [Fact]
    public void PathOfADirectoryIsNotFree()
    {
        Directory.CreateDirectory(Socket);
        Assert.False(UnixSocket.RemoveStale(Socket));
    }

    [Fact]
    public void RemoveStaleSaysWhetherThePathIsFree()
    {
        Assert.True(UnixSocket.RemoveStale(Socket));
        UnixSocket.Listen(Socket, 0x180).Dispose();
        Assert.True(UnixSocket.RemoveStale(Socket));
        Assert.False(File.Exists(Socket));
    }

    [Theory]
    [InlineData(0x180, UnixFileMode.UserRead | UnixFileMode.UserWrite)]
    [InlineData(0x1b0, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite)]
    [InlineData(0x1ff, (UnixFileMode)0x1ff)]
    public void ModeIsAsTold(int mode, UnixFileMode expected)
    {
        using var listener = UnixSocket.Listen(Socket, mode);
        Assert.Equal(expected, File.GetUnixFileMode(Socket));
    }

    [Theory]
    [InlineData('x', 1)]
    [InlineData('é', 2)]
    public void PathOf107BytesFitsAndOneMoreDoesNot(char letter, int bytes)
    {
        int room = UnixSocket.MaxPathBytes - _directory.Path.Length - 1;
        string longest = _directory.File(new string(letter, room / bytes) + new string('y', room % bytes));
        Assert.True(UnixSocket.Fits(longest));
        using (UnixSocket.Listen(longest, 0x180))
            UnixSocket.Connect(longest).Dispose();

        string tooLong = longest + "z";
        Assert.False(UnixSocket.Fits(tooLong));
        Assert.Equal(Libc.ENAMETOOLONG, Assert.Throws<NativeException>(() => UnixSocket.Listen(tooLong, 0x180)).Error);
        Assert.Equal(Libc.ENAMETOOLONG, Assert.Throws<NativeException>(() => UnixSocket.Connect(tooLong)).Error);
    }

    [Fact]
    public void ConnectToNobodySaysWhy()
    {
        Assert.Equal(Libc.ENOENT, Assert.Throws<NativeException>(() => UnixSocket.Connect(Socket)).Error);
        UnixSocket.Listen(Socket, 0x180).Dispose();
        Assert.Equal(Libc.ECONNREFUSED, Assert.Throws<NativeException>(() => UnixSocket.Connect(Socket)).Error);
    }

    [Fact]
    public void FailedListenLeavesNoDescriptor()
    {
        int before = Fds.CountOpen("socket:");
        Assert.Throws<NativeException>(() => UnixSocket.Listen(_directory.File("no/such/directory"), 0x180));
        Assert.Throws<NativeException>(() => UnixSocket.Connect(Socket));
        Assert.Equal(before, Fds.CountOpen("socket:"));
    }

    [Fact]
    public void PairIsConnectedBothWays()
    {
        var (first, second) = UnixSocket.Pair();
        using (first)
        using (second)
        {
            Fds.Write(first, 1);
            Fds.Write(second, 2);
            Assert.Equal(1UL, Read(second));
            Assert.Equal(2UL, Read(first));
        }
    }

    [Fact]
    public void PeerIsWhoConnected()
    {
        using var listener = UnixSocket.Listen(Socket, 0x180);
        using var client = UnixSocket.Connect(Socket);
        using var server = UnixSocket.Accept(listener)!;
        Assert.Equal(Environment.ProcessId, UnixSocket.Peer(server).Pid);
        Assert.Equal(Environment.ProcessId, UnixSocket.Peer(client).Pid);
        using var bell = EventFd.Create();
        Assert.Equal((0, 0u), UnixSocket.Peer(bell.Descriptor));
    }

    private static unsafe ulong Read(FileDescriptor fd)
    {
        ulong value = 0;
        Assert.Equal(8, Libc.read(fd.Number, &value, sizeof(ulong)));
        return value;
    }
}
