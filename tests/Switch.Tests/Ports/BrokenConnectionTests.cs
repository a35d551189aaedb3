using System.Net.Sockets;
using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;
using FrontEnd = InterGuest.Virtio.VhostUser.FrontEnd;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>What cannot be understood ends the connection, and is counted by kind.</summary>
public sealed class BrokenConnectionTests : IDisposable
{
    private readonly TestSwitch _switch = new(loops: 1);

    public void Dispose() => _switch.Dispose();

    public static TheoryData<byte[], string> Messages => new()
    {
        { [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], "wrong_version" },
        { [1, 0, 0, 0, 1, 0, 0, 0, 1, 0x10, 0, 0], "message_too_large" },
        { [1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "message_too_large" },
        { [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0], "wrong_message_size" },
        { [2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0], "message_not_ended" },
    };

    [Theory, MemberData(nameof(Messages))]
    public void AMessageThatCannotBeOneIsTheLast(byte[] message, string word)
    {
        using var socket = Connect();
        socket.Send(message);
        AssertEnded(word);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    public void DescriptorsWithoutAUseEndTheConnection(int count)
    {
        using var frontEnd = FrontEnd.Connect(_switch.AddPort("a"), TestGuest.Patience);
        using var file = MemFd.Create("unwanted", 4096);
        frontEnd.Do(RequestCode.SetOwner, [], [.. Enumerable.Repeat(file, count)]);
        AssertEnded("wrong_descriptor_count");
    }

    [Fact]
    public void AFrontEndThatDoesNotReadIsNotWrittenTo()
    {
        using var socket = Connect();
        byte[] getFeatures = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        Assert.ThrowsAny<SocketException>(() =>
        {
            for (int i = 0; i < 100_000; i++)
                socket.Send(getFeatures);
        });
        AssertEnded("replies_not_read");
    }

    private Socket Connect()
    {
        string path = _switch.AddPort("a");
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    private void AssertEnded(string word)
    {
        var port = _switch.PortWhen("a", p => p.State == PortState.Faulted && p.FrontEnd == null, "the connection is ended");
        Assert.Equal((word, 1ul), (port.Counters.MessageFaults.Single().Reason, port.Counters.MessageFaults.Single().Count));
        using var next = TestGuest.Run(port.SocketPath);
        Exchange.ToNowhere(next);
    }
}
