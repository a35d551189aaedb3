using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.VhostUser;

public sealed class MessageChannelTests : IDisposable
{
    private readonly MessageChannel _channel;
    private readonly RawPeer _peer;
    private readonly string _name = Fds.UniqueName("sent");

    public MessageChannelTests()
    {
        var (ours, theirs) = UnixSocket.Pair();
        (_channel, _peer) = (new MessageChannel(ours), new RawPeer(theirs));
    }

    /// <summary>How many of the descriptors that were sent are open in this process.</summary>
    private int Open => Fds.CountOpen(_name);

    public void Dispose()
    {
        _channel.Dispose();
        _peer.Dispose();
        Assert.Equal(0, Open);
    }

    private void Send(ReadOnlySpan<byte> bytes, int fds = 0)
    {
        FileDescriptor[] files = [.. Enumerable.Range(0, fds).Select(_ => MemFd.Create(_name, 4096))];
        Assert.True(_peer.Send(bytes, files));
        foreach (var file in files)
            file.Dispose();
    }

    private static byte[] Message(uint request, params ReadOnlySpan<byte> body) => RawPeer.Message(request, RawPeer.Version, body);

    private void AssertReceives(uint request, params ReadOnlySpan<byte> body)
    {
        Assert.Equal(ReceiveResult.Message, _channel.TryReceive());
        Assert.Equal(request, (uint)_channel.Request);
        Assert.Equal(body, _channel.Body);
        Assert.False(_channel.IsPartial);
    }

    [Fact]
    public void NothingSentIsIncompleteAndNotPartial()
    {
        Assert.Equal(ReceiveResult.Incomplete, _channel.TryReceive());
        Assert.False(_channel.IsPartial);
    }

    [Fact]
    public void MessageByteByByte()
    {
        byte[] message = Message(2, 1, 2, 3, 4, 5, 6, 7, 8);
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < message.Length - 1; i++)
            {
                Send(message.AsSpan(i, 1));
                Assert.Equal(ReceiveResult.Incomplete, _channel.TryReceive());
                Assert.True(_channel.IsPartial);
            }
            Send(message.AsSpan(message.Length - 1));
            AssertReceives(2, 1, 2, 3, 4, 5, 6, 7, 8);
        }
    }

    [Fact]
    public void SeveralMessagesInOneWrite()
    {
        Send([.. Message(1), .. Message(2, 9, 9), .. Message(3), .. Message(4, 1)[..5]]);
        AssertReceives(1);
        AssertReceives(2, 9, 9);
        AssertReceives(3);
        Assert.Equal(ReceiveResult.Incomplete, _channel.TryReceive());
        Assert.True(_channel.IsPartial);
        Send(Message(4, 1).AsSpan(5));
        AssertReceives(4, 1);
    }

    [Theory]
    [InlineData(0, false, false)]
    [InlineData(4, true, false)]
    [InlineData(8, false, true)]
    [InlineData(12, true, true)]
    public void FlagsAreReplyAndNeedReply(uint flags, bool reply, bool needReply)
    {
        Send(RawPeer.Message(1, RawPeer.Version | flags));
        AssertReceives(1);
        Assert.Equal((reply, needReply), (_channel.IsReply, _channel.NeedsReply));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(2u)]
    [InlineData(3u)]
    [InlineData(0xfffffffcu)]
    public void OtherVersionsAreAViolation(uint flags)
    {
        Send(RawPeer.Message(1, flags));
        Assert.Equal(ReceiveResult.Violation, _channel.TryReceive());
        Assert.Contains("version", _channel.Violation, StringComparison.Ordinal);
    }

    [Fact]
    public void LargestBody()
    {
        byte[] body = new byte[4096];
        new Random(1).NextBytes(body);
        Send(Message(7, body));
        AssertReceives(7, body);
    }

    [Theory]
    [InlineData(4097u)]
    [InlineData(0x7fff_ffffu)]
    [InlineData(0x8000_0000u)]
    [InlineData(uint.MaxValue - 11)] // header + body is 0
    [InlineData(uint.MaxValue)]
    public void OversizedBodyIsAViolation(uint bytes)
    {
        Send(RawPeer.U32s(1, 1, bytes));
        Assert.Equal(ReceiveResult.Violation, _channel.TryReceive());
        Assert.Contains("more than 4096", _channel.Violation, StringComparison.Ordinal);
    }

    /// <summary>A caller that looks again (or a front-end that goes on after an IOException) must not read the body into a buffer too small for it.</summary>
    [Theory]
    [InlineData(1u, 8192u)]
    [InlineData(2u, 0u)]
    public void ViolationIsFinal(uint flags, uint bytes)
    {
        Send(RawPeer.U32s(1, flags, bytes));
        Assert.Equal(ReceiveResult.Violation, _channel.TryReceive());
        Assert.Equal(ReceiveResult.Violation, _channel.TryReceive());
        Send(Message(1));
        Assert.Equal(ReceiveResult.Violation, _channel.TryReceive());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(12)]
    [InlineData(15)]
    public void PeerThatClosesInTheMiddleIsClosed(int bytes)
    {
        Send(Message(2, 1, 2, 3, 4, 5, 6, 7, 8).AsSpan(0, bytes), bytes > 0 ? 1 : 0);
        _peer.Dispose();
        var result = _channel.TryReceive();
        if (result == ReceiveResult.Incomplete) // it took what there was, and has not seen the end
            result = _channel.TryReceive();
        Assert.Equal(ReceiveResult.Closed, result);
        Assert.Equal(ReceiveResult.Closed, _channel.TryReceive());
    }

    [Fact]
    public void MessagesSentBeforeTheCloseAreReceived()
    {
        Send([.. Message(1), .. Message(2, 5)]);
        _peer.Dispose();
        AssertReceives(1);
        AssertReceives(2, 5);
        Assert.Equal(ReceiveResult.Closed, _channel.TryReceive());
    }

    [Fact]
    public void SendIsWholeOrNotAtAll()
    {
        int sent = 0;
        while (_channel.TrySend((RequestCode)sent, new byte[sent * 37 % 4096], reply: true) && sent < 100_000)
            sent++;
        Assert.InRange(sent, 10, 99_999);
        var bytes = _peer.ReadAll().AsSpan();
        for (int i = 0; i < sent; i++)
        {
            byte[] expected = RawPeer.Message((uint)i, 5, new byte[i * 37 % 4096]);
            Assert.True(bytes.StartsWith(expected));
            bytes = bytes[expected.Length..];
        }
        Assert.Equal(0, bytes.Length);
    }

    [Fact]
    public void SendToAPeerThatIsGoneIsFalse()
    {
        _peer.Dispose();
        Assert.False(_channel.TrySend(RequestCode.GetFeatures, [], reply: false));
    }
}
