using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>A <see cref="BackEndSession"/> over a recording device, and its peer, in one thread.</summary>
internal sealed class SessionUnderTest : IDisposable
{
    internal SessionUnderTest()
    {
        var (ours, theirs) = UnixSocket.Pair();
        Peer = new RawPeer(theirs);
        Session = new BackEndSession(new MessageChannel(ours), Device) { Refused = (request, why) => Refusals.Add((request, why.Refusal!)) };
    }

    internal RecordingBackEnd Device { get; } = new();

    internal BackEndSession Session { get; }

    internal RawPeer Peer { get; }

    internal List<(RequestCode Request, string Why)> Refusals { get; } = [];

    public void Dispose()
    {
        Session.Dispose();
        Device.Dispose();
        Peer.Dispose();
    }

    /// <summary>Sends a message and has it handled.</summary>
    /// <returns>The bytes sent back.</returns>
    internal byte[] Exchange(RequestCode request, ReadOnlySpan<byte> body, bool needReply = false, params ReadOnlySpan<FileDescriptor> fds)
    {
        Assert.Equal(SessionState.Open, Handle(request, body, needReply, fds));
        return Peer.ReadAll();
    }

    internal SessionState Handle(RequestCode request, ReadOnlySpan<byte> body, bool needReply = false, params ReadOnlySpan<FileDescriptor> fds)
    {
        Assert.True(Peer.Send(RawPeer.Message((uint)request, RawPeer.Version | (needReply ? RawPeer.NeedReply : 0), body), fds));
        return Session.Process(100);
    }

    /// <summary>Agrees on acknowledgements.</summary>
    internal void NegotiateAcks()
    {
        Exchange(RequestCode.SetProtocolFeatures, RawPeer.U64(ProtocolFeatures.ReplyAck));
        Device.Calls.Clear();
    }

    /// <summary>What an acknowledgement of a request looks like: flags exactly 5.</summary>
    internal static byte[] Ack(RequestCode request, ulong value) => RawPeer.Message((uint)request, RawPeer.Version | RawPeer.IsReply, RawPeer.U64(value));

    internal void AssertRefusedWithAck(RequestCode request, ReadOnlySpan<byte> body, params ReadOnlySpan<FileDescriptor> fds)
    {
        Refusals.Clear();
        Assert.Equal(Ack(request, 1), Exchange(request, body, needReply: true, fds));
        Assert.Equal(request, Assert.Single(Refusals).Request);
        Assert.NotEqual("", Refusals[0].Why);
    }
}
