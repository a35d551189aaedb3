using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.VhostUser;

/// <summary>A received descriptor is owned from the moment it arrives, and closed whatever happens.</summary>
public sealed class MessageChannelDescriptorTests : IDisposable
{
    private readonly MessageChannel _channel;
    private readonly RawPeer _peer;
    private readonly string _name = Fds.UniqueName("sent");

    public MessageChannelDescriptorTests()
    {
        var (ours, theirs) = UnixSocket.Pair();
        (_channel, _peer) = (new MessageChannel(ours), new RawPeer(theirs));
    }

    private int Open => Fds.CountOpen(_name);

    public void Dispose()
    {
        _channel.Dispose();
        _peer.Dispose();
        Assert.Equal(0, Open);
    }

    private void Send(ReadOnlySpan<byte> bytes, int fds)
    {
        FileDescriptor[] files = [.. Enumerable.Range(0, fds).Select(i => MemFd.Create(_name, 4096 * (i + 1)))];
        Assert.True(_peer.Send(bytes, files));
        foreach (var file in files)
            file.Dispose();
    }

    private static byte[] Message(int bodyBytes) => RawPeer.Message(5, RawPeer.Version, new byte[bodyBytes]);

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(32)]
    public void DescriptorsComeInTheirOrder(int count)
    {
        Send(Message(8), count);
        Assert.Equal(ReceiveResult.Message, _channel.TryReceive());
        Assert.Equal((count, count), (_channel.FdCount, Open));
        for (int i = 0; i < count; i++)
        {
            using var fd = _channel.TakeFd();
            Assert.Equal(4096 * (i + 1), Size(fd));
        }
        Assert.Equal((0, 0), (_channel.FdCount, Open));
    }

    [Fact]
    public void ReceivedDescriptorIsClosedOnExec()
    {
        Send(Message(0), 1);
        _channel.TryReceive();
        using var fd = _channel.TakeFd();
        const int F_GETFD = 1, FD_CLOEXEC = 1;
        Assert.Equal(FD_CLOEXEC, Libc.fcntl(fd.Number, F_GETFD, 0) & FD_CLOEXEC);
    }

    [Fact]
    public void DescriptorsNobodyTookAreClosedWithTheNextReceive()
    {
        Send(Message(8), 3);
        _channel.TryReceive();
        using (var taken = _channel.TakeFd())
        {
            Assert.Equal(3, Open);
            Assert.Equal(ReceiveResult.Incomplete, _channel.TryReceive());
            Assert.Equal((1, 0), (Open, _channel.FdCount));
        }
    }

    [Fact]
    public void DescriptorsStayWithTheirMessage()
    {
        Send(Message(8), 1);
        Send(Message(8), 0);
        Send(Message(8), 2);
        foreach (int expected in (int[])[1, 0, 2])
        {
            Assert.Equal(ReceiveResult.Message, _channel.TryReceive());
            Assert.Equal(expected, _channel.FdCount);
        }
    }

    [Fact]
    public void DescriptorsMayComeWithAnyByteOfTheirMessage()
    {
        byte[] message = Message(8);
        Send(message.AsSpan(0, 12), 1);
        Assert.Equal(ReceiveResult.Incomplete, _channel.TryReceive());
        Send(message.AsSpan(12, 4), 1);
        Send(message.AsSpan(16), 1);
        while (_channel.TryReceive() == ReceiveResult.Incomplete)
            Assert.True(_channel.IsPartial);
        Assert.Equal(3, _channel.FdCount);
    }

    [Theory]
    [InlineData(33)]
    [InlineData(253)]
    public void MoreThan32AreAViolationAndClosed(int count)
    {
        Send(Message(8), count);
        Assert.Equal(ReceiveResult.Violation, _channel.TryReceive());
        _channel.Dispose();
        Assert.Equal(0, Open);
    }

    [Fact]
    public void MoreThan32InInstalmentsAreAViolation()
    {
        byte[] message = Message(64);
        Send(message.AsSpan(0, 12), 32);
        Assert.Equal(ReceiveResult.Incomplete, _channel.TryReceive());
        Send(message.AsSpan(12), 1);
        Assert.Equal(ReceiveResult.Violation, _channel.TryReceive());
    }

    [Fact]
    public void DescriptorsOfAnUnfinishedMessageAreClosedWithTheChannel()
    {
        Send(Message(8).AsSpan(0, 3), 5);
        Assert.Equal(ReceiveResult.Incomplete, _channel.TryReceive());
        Assert.Equal(5, Open);
        _channel.Dispose();
        Assert.Equal(0, Open);
    }

    [Fact]
    public void SentDescriptorsStayTheSenders()
    {
        using var file = MemFd.Create(_name, 4096);
        Assert.True(_channel.TrySend(RequestCode.SetMemoryTable, [1], reply: false, needReply: true, file));
        Assert.True(Fds.IsOpen(file.Number));
        Assert.Equal(RawPeer.Message(5, 9, 1), _peer.ReadAll());
    }

    [Fact]
    public void AClosedDescriptorCannotBeSent()
    {
        var file = MemFd.Create(_name, 4096);
        file.Dispose();
        Assert.False(_channel.TrySend(RequestCode.SetMemoryTable, [], reply: false, needReply: false, file));
        Assert.Empty(_peer.ReadAll());
    }

    /// <summary>The control buffer is on the stack and has room for 32: more must be refused, not written behind it.</summary>
    [Fact]
    public void SendingMoreThan32IsRefused()
    {
        var (exitCode, output) = Victim.Run(Send64);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {output}");
    }

    private static void Send64()
    {
        var (ours, theirs) = UnixSocket.Pair();
        using var channel = new MessageChannel(ours);
        using (theirs)
            try
            {
                if (channel.TrySend(RequestCode.SetMemoryTable, [], reply: false, needReply: false, [.. Enumerable.Repeat(theirs, 64)]))
                    throw new InvalidOperationException("64 descriptors were sent, 32 of them from behind the buffer");
            }
            catch (ArgumentException)
            {
                // As good as false.
            }
    }

    private static unsafe long Size(FileDescriptor fd)
    {
        Libc.Statx status;
        Assert.Equal(0, Libc.statx(fd.Number, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, &status));
        return (long)status.Size;
    }
}
