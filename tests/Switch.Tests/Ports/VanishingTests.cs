using System.Net.Sockets;
using InterGuest.Protos.V1;
using InterGuest.Testing;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;
using FrontEnd = InterGuest.Virtio.VhostUser.FrontEnd;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Counts the process's descriptors, so nothing else may run meanwhile.</summary>
[CollectionDefinition(nameof(AloneCollection), DisableParallelization = true)]
public class AloneCollection;

/// <summary>Front-ends that vanish or misbehave at any point leave nothing behind.</summary>
[Collection(nameof(AloneCollection))]
public class VanishingTests
{
    private static readonly TestGuestOptions Small = new() { MemoryBytes = 1 << 20, ReceiveBuffers = 4 };

    [Fact]
    public void AFrontEndMayVanishAfterAnyMessage()
    {
        using var board = new TestSwitch(loops: 1);
        string socket = board.AddPort("a");
        board.AddPort("b");
        board.AddLink("wire", "a", "b");
        using var peer = TestGuest.Run(board.Port("b").SocketPath, Small);
        Vanish(board, socket, StartSequence.Messages.Count); // whatever is made once is made now
        int before = SettledDescriptors();
        for (int messages = 0; messages <= StartSequence.Messages.Count; messages++)
            Vanish(board, socket, messages);
        Assert.Equal(before, OpenDescriptors());
        using var guest = TestGuest.Run(socket, Small);
        Exchange.BothWays(guest, peer);
    }

    [Fact]
    public void MessagesThatAreRefusedLeakNoDescriptors()
    {
        using var board = new TestSwitch(loops: 1);
        string socket = board.AddPort("a");
        Misbehave(board, socket);
        int before = SettledDescriptors();
        for (int i = 0; i < 10; i++)
            Misbehave(board, socket);
        Assert.Equal(before, OpenDescriptors());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(19)]
    public void AFrontEndMayVanishInTheMiddleOfAMessage(int bytes)
    {
        using var board = new TestSwitch(loops: 1);
        string path = board.AddPort("a");
        byte[] setFeatures = [2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        using (var socket = Connect(path))
        {
            socket.Send(setFeatures.AsSpan(0, bytes));
            board.PortIn(PortState.Connected, "a");
        }
        board.PortIn(PortState.Listening, "a");
        using var guest = TestGuest.Run(path, Small);
        Exchange.ToNowhere(guest);
    }

    [Fact]
    public void AMessageThatDoesNotEndIsNotWaitedForLong()
    {
        using var board = new TestSwitch(loops: 1);
        string path = board.AddPort("a");
        using var socket = Connect(path);
        socket.Send([2, 0, 0, 0, 1, 0]);
        var port = board.PortWhen("a", p => p.FrontEnd == null && p.State == PortState.Faulted, "the connection is closed");
        Assert.Contains("did not end it", port.Fault, StringComparison.Ordinal);
        using var guest = TestGuest.Run(path, Small);
        Assert.Equal(PortState.Running, board.Port("a").State);
    }

    [Fact]
    public void AFrontEndThatDoesNotReadItsRepliesIsCutOff()
    {
        using var board = new TestSwitch(loops: 1);
        string path = board.AddPort("a");
        using var socket = Connect(path);
        byte[] getFeatures = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        Assert.ThrowsAny<SocketException>(() =>
        {
            for (int i = 0; i < 100_000; i++)
                socket.Send(getFeatures);
        });
        Assert.Contains("does not read our replies", board.PortIn(PortState.Faulted, "a").Fault, StringComparison.Ordinal);
    }

    private static void Vanish(TestSwitch board, string socket, int messages)
    {
        using (var guest = new TestGuest(Small))
        using (var frontEnd = FrontEnd.Connect(socket, TestGuest.Patience))
            for (int i = 0; i < messages; i++)
                StartSequence.Messages[i](frontEnd, guest);
        board.PortIn(PortState.Listening, "a");
    }

    private static void Misbehave(TestSwitch board, string socket)
    {
        using (var guest = new TestGuest(Small))
        using (var file = MemFd.Create("short", 4096))
        {
            guest.Connect(socket);
            var f = guest.FrontEnd;
            Refused(() => f.Set(RequestCode.SetVringKick, 0, file));
            Refused(() => f.Set(RequestCode.SetVringCall, 77, guest.Receive().Call.Descriptor));
            Refused(() => f.SetMemoryTable((guest.Memory.Layout, file), (guest.Memory.Layout, guest.Memory.File)));
            Refused(() => f.ChangeMemory(RequestCode.AddMemoryRegion, guest.Memory.Layout, file));
            Refused(() => f.Do(RequestCode.SetLogBase, new byte[16], file)); // a log of no bytes
            f.Set(RequestCode.SetVringCall, 0, guest.Receive().Call.Descriptor);
            f.Set(RequestCode.SetVringCall, 0, guest.Receive().Call.Descriptor); // replaces, and closes, the first
            f.Set(RequestCode.SetVringKick, 0, guest.Receive().Kick.Descriptor);
            Refused(() => f.Do(RequestCode.SetVringNum, [1, 2, 3], file, file)); // closes the connection
        }
        board.PortWhen("a", p => p.FrontEnd == null, "the connection is closed");
    }

    private static void Refused(Action action) => Assert.Throws<IOException>(action);

    private static Socket Connect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    /// <summary>Before anything is counted: what earlier tests forgot is not this one's.</summary>
    private static int SettledDescriptors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return OpenDescriptors();
    }

    /// <summary>Without a collection: a descriptor that waits for its finalizer is a leak.</summary>
    private static int OpenDescriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Length;
}
