using System.Net.Sockets;
using InterGuest.Testing;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Front-ends that never stop talking: their port is heard less, the others as ever.</summary>
public sealed class FloodTests : IDisposable
{
    private readonly TestSwitch _switch = new(loops: 1);
    private volatile bool _enough;

    public void Dispose() => _switch.Dispose();

    [Fact]
    public async Task AFloodOfMessagesIsThrottledAndOthersAreServed()
    {
        var (a, b) = _switch.Join();
        using var _ = a;
        using var __ = b;
        string path = _switch.AddPort("flood");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        // SET_VRING_ENABLE 0, 1 and 0, 0: each takes the port's rings out of the data path and puts them back.
        byte[] on = [18, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], off = [.. on[..16], 0, 0, 0, 0];
        byte[] flood = [.. Enumerable.Repeat(on.Concat(off), 1000).SelectMany(m => m)];
        var flooding = Task.Run(() => Send(socket, flood));

        _switch.PortWhen("flood", p => p.Counters.MessageFaults.Any(f => f.Reason == "message_flood" && f.Count >= 3), "the flood is noticed");
        Exchange.BothWays(a, b);
        for (int i = 0; i < 3; i++)
        {
            using var guest = TestGuest.Run(_switch.AddPort($"calm{i}"));
            Exchange.ToNowhere(guest);
        }
        Assert.Empty(_switch.Port("a").Counters.MessageFaults);
        _enough = true;
        socket.Close();
        await flooding;
        // What it has said and nobody heard keeps the port no longer.
        _switch.PortWhen("flood", p => p.FrontEnd == null, "the flood is over");
    }

    /// <summary>To connect and go, for ever, is a flood, too.</summary>
    [Fact]
    public async Task AFloodOfConnectionsIsThrottled()
    {
        string path = _switch.AddPort("flood"), calm = _switch.AddPort("calm");
        var flooding = Task.Run(() =>
        {
            while (!_enough)
                Record.Exception(() => FrontEnd.Connect(path, TestGuest.Patience).Dispose()); // or the backlog is full
        });
        _switch.PortWhen("flood", p => p.Counters.MessageFaults.Any(f => f.Reason == "message_flood"), "the flood is noticed");
        using var guest = TestGuest.Run(calm);
        Exchange.ToNowhere(guest);
        _enough = true;
        await flooding;
    }

    private void Send(Socket socket, byte[] flood)
    {
        while (!_enough)
        {
            try
            {
                socket.Send(flood);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }
}
