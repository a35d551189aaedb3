using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.VhostUser;

/// <summary>Each message reaches the right method with the right numbers, and is answered as front-ends insist on.</summary>
public sealed class BackEndSessionTests : IDisposable
{
    private readonly SessionUnderTest _session = new();

    private RecordingBackEnd Device => _session.Device;

    public void Dispose() => _session.Dispose();

    public static TheoryData<RequestCode, ulong> Questions => new()
    {
        { RequestCode.GetFeatures, RecordingBackEnd.OfferedFeatures },
        { RequestCode.GetProtocolFeatures, RecordingBackEnd.OfferedProtocol },
        { RequestCode.GetQueueNum, RecordingBackEnd.Queues },
        { RequestCode.GetMaxMemorySlots, 509 },
        { RequestCode.GetStatus, 0 },
    };

    /// <summary>QEMU and DPDK drop the link unless flags are exactly 5, and the request and size as expected.</summary>
    [Theory, MemberData(nameof(Questions))]
    public void QuestionIsAnsweredOnceWhetherOrNotAnAckIsWanted(RequestCode request, ulong answer)
    {
        byte[] reply = RawPeer.Message((uint)request, 5, RawPeer.U64(answer));
        Assert.Equal(reply, _session.Exchange(request, []));
        Assert.Equal(reply, _session.Exchange(request, [], needReply: true));
        _session.NegotiateAcks();
        Assert.Equal(reply, _session.Exchange(request, [], needReply: true));
    }

    public static TheoryData<RequestCode, byte[], string> Orders => new()
    {
        { RequestCode.SetFeatures, RawPeer.U64(0x8123_4567_89ab_cdef), "SetFeatures 0x8123456789abcdef" },
        { RequestCode.SetStatus, RawPeer.U64(0xf), "SetStatus 0xf" },
        { RequestCode.SetVringNum, RawPeer.U32s(1, 256), "SetVringNum 1 256" },
        { RequestCode.SetVringBase, RawPeer.U32s(1, 0x1234), "SetVringBase 1 4660" },
        { RequestCode.SetVringEnable, RawPeer.U32s(1, 1), "SetVringEnable 1 True" },
        { RequestCode.SetVringEnable, RawPeer.U32s(0, 0), "SetVringEnable 0 False" },
        { RequestCode.SetVringAddress, [.. RawPeer.U32s(1, 0), .. RawPeer.U64s(0xd0, 0x50, 0xa0, 0x10)], "SetVringAddress 1 d0 a0 50" },
        { RequestCode.SetVringAddress, [.. RawPeer.U32s(1, 1), .. RawPeer.U64s(0xd0, 0x50, 0xa0, 0x10)], "SetVringAddress 1 d0 a0 50 log 10" },
        { RequestCode.NetSetMtu, RawPeer.U64(9000), "SetMtu 9000" },
        { RequestCode.SendRarp, RawPeer.U64(0x010203040506), "SendRarp 10203040506" },
        { RequestCode.ResetDevice, [], "ResetDevice" },
    };

    [Theory, MemberData(nameof(Orders))]
    public void OrderReachesItsMethodAndIsAcknowledgedOnlyIfAgreed(RequestCode request, byte[] body, string call)
    {
        Assert.Empty(_session.Exchange(request, body));
        Assert.Empty(_session.Exchange(request, body, needReply: true));
        Assert.Equal([call, call], Device.Calls);

        _session.NegotiateAcks();
        Assert.Empty(_session.Exchange(request, body));
        Assert.Equal(SessionUnderTest.Ack(request, 0), _session.Exchange(request, body, needReply: true));
        Assert.Equal([call, call], Device.Calls);

        Device.Refusing.Add(call.Split(' ')[0]);
        _session.AssertRefusedWithAck(request, body);
    }

    [Fact]
    public void OwnerIsAcknowledgedToo()
    {
        _session.NegotiateAcks();
        Assert.Equal(SessionUnderTest.Ack(RequestCode.SetOwner, 0), _session.Exchange(RequestCode.SetOwner, [], needReply: true));
        Assert.Equal(SessionUnderTest.Ack(RequestCode.ResetOwner, 0), _session.Exchange(RequestCode.ResetOwner, [], needReply: true));
    }

    [Fact]
    public void AcksEndWhenTheyAreNegotiatedAway()
    {
        _session.NegotiateAcks();
        _session.Exchange(RequestCode.SetProtocolFeatures, RawPeer.U64(0));
        Assert.Empty(_session.Exchange(RequestCode.SetOwner, [], needReply: true));
    }

    [Fact]
    public void RefusedProtocolFeaturesAreNotInForce()
    {
        Device.Refusing.Add("SetProtocolFeatures");
        _session.Exchange(RequestCode.SetProtocolFeatures, RawPeer.U64(ProtocolFeatures.ReplyAck));
        Assert.Empty(_session.Exchange(RequestCode.SetOwner, [], needReply: true));
    }

    [Theory]
    [InlineData(22u)] // IOTLB_MSG
    [InlineData(26u)] // CREATE_CRYPTO_SESSION
    [InlineData(28u)] // POSTCOPY_ADVISE
    [InlineData(0u)]
    [InlineData(4711u)]
    [InlineData(uint.MaxValue)]
    public void UnknownRequestIsRefusedAndItsDescriptorsAreClosed(uint request)
    {
        string name = Fds.UniqueName("unhandled");
        _session.NegotiateAcks();
        for (int fds = 0; fds <= 3; fds++)
        {
            FileDescriptor[] files = [.. Enumerable.Range(0, fds).Select(_ => MemFd.Create(name, 4096))];
            _session.AssertRefusedWithAck((RequestCode)request, new byte[13], files);
            Assert.All(files, f => f.Dispose());
        }
        Assert.Equal(0, Fds.CountOpen(name));
        Assert.Empty(_session.Exchange((RequestCode)request, []));
        Assert.Empty(Device.Calls);
        Assert.NotEmpty(_session.Exchange(RequestCode.GetFeatures, []));
    }

    [Fact]
    public void VringBaseStopsTheRingAndIsAnswered()
    {
        _session.Exchange(RequestCode.SetVringBase, RawPeer.U32s(1, 0xfffe));
        Assert.Equal(RawPeer.Message(11, 5, RawPeer.U32s(1, 0xfffe)), _session.Exchange(RequestCode.GetVringBase, RawPeer.U32s(1, 0)));
        Assert.Equal("StopVring 1", Device.Calls[^1]);
        _session.NegotiateAcks();
        Assert.Equal(20, _session.Exchange(RequestCode.GetVringBase, RawPeer.U32s(1, 0), needReply: true).Length);
    }

    /// <summary>A front-end waits for this reply with its lock held: it must come, whatever the ring is.</summary>
    [Fact]
    public void RefusedVringBaseIsAnsweredAllTheSame()
    {
        Device.Refusing.Add("StopVring");
        Assert.Equal(20, _session.Exchange(RequestCode.GetVringBase, RawPeer.U32s(700, 0)).Length);
        Assert.Equal(RequestCode.GetVringBase, Assert.Single(_session.Refusals).Request);
    }

    public static TheoryData<ulong, ulong, ulong> CrookedRings => new() { { 0xd8, 0xa0, 0x50 }, { 0xd0, 0xa1, 0x50 }, { 0xd0, 0xa0, 0x52 } };

    /// <summary>VIRTIO 1.2, 2.7: 16, 2 and 4 bytes.</summary>
    [Theory, MemberData(nameof(CrookedRings))]
    public void RingAreasMustBeAligned(ulong descriptors, ulong available, ulong used)
    {
        _session.NegotiateAcks();
        _session.AssertRefusedWithAck(RequestCode.SetVringAddress, [.. RawPeer.U32s(1, 0), .. RawPeer.U64s(descriptors, used, available, 0)]);
        Assert.Empty(Device.Calls);
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(uint.MaxValue)]
    public void EnableIsZeroOrOne(uint value)
    {
        _session.NegotiateAcks();
        _session.AssertRefusedWithAck(RequestCode.SetVringEnable, RawPeer.U32s(0, value));
        Assert.Empty(Device.Calls);
    }

    [Fact]
    public void BackendRequestSocketIsTheDevicesOwn()
    {
        var (ours, theirs) = UnixSocket.Pair();
        using (ours)
        {
            _session.Exchange(RequestCode.SetBackendRequestFd, [], false, theirs);
            theirs.Dispose();
            Assert.Equal(8, Fds.Write(Device.BackendRequests!, 1));
        }
    }

    [Fact]
    public void MalformedMessageBreaksTheSession()
    {
        Assert.Equal(SessionState.Broken, _session.Handle(RequestCode.SetFeatures, new byte[7]));
        Assert.Contains("SetFeatures with a body of 7 bytes", _session.Session.Problem.Refusal, StringComparison.Ordinal);
        Assert.Empty(Device.Calls);
    }

    [Fact]
    public void ProtocolViolationBreaksTheSessionWithItsReason()
    {
        _session.Peer.Send(RawPeer.U32s(1, 2, 0));
        Assert.Equal(SessionState.Broken, _session.Session.Process(10));
        Assert.Contains("version", _session.Session.Problem.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void CloseOfThePeerIsClosed()
    {
        _session.Peer.Send(RawPeer.Message(3, 1));
        _session.Peer.Dispose();
        Assert.Equal(SessionState.Closed, _session.Session.Process(10));
    }

    [Fact]
    public void BudgetIsTheMostMessagesAtOnce()
    {
        for (int i = 0; i < 5; i++)
            _session.Peer.Send(RawPeer.Message(1, 1));
        Assert.Equal(SessionState.Open, _session.Session.Process(2));
        Assert.Equal(2, Device.Calls.Count);
        Assert.Equal(SessionState.Open, _session.Session.Process(100));
        Assert.Equal(5, Device.Calls.Count);
    }

    /// <summary>A front-end that asks and does not read must not make us wait, nor remember without end.</summary>
    [Fact]
    public void PeerThatDoesNotReadRepliesBreaksTheSession()
    {
        var state = SessionState.Open;
        for (int i = 0; i < 1_000_000 && state == SessionState.Open; i++)
            state = _session.Handle(RequestCode.GetFeatures, []);
        Assert.Equal(SessionState.Broken, state);
        Assert.Contains("does not read", _session.Session.Problem.Refusal, StringComparison.Ordinal);
    }
}
