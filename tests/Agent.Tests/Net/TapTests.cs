using System.Diagnostics;
using System.Text.Json;
using InterGuest.Protos.V1;
using InterGuest.Switch.Tests;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Agent.Tests.Net;

/// <summary>A host's tap on a link.</summary>
public sealed class TapTests : IDisposable
{
    private static int _taps;

    private readonly TestSwitch _switch = new();
    private readonly string _tap = $"igt{Environment.ProcessId % 1000000}n{Interlocked.Increment(ref _taps)}";

    public void Dispose() => _switch.Dispose();

    [RootFact]
    public async Task The_hosts_kernel_and_a_guest_exchange_frames()
    {
        using var run = Join(out var guest, TestGuest.PlainFeatures | Features.NetGuestChecksum | Features.NetGuestTso4);
        using (guest)
        {
            guest.Send(new byte[60]); // nobody takes it: the interface is down
            Assert.Equal(0u, guest.Transmit().NextUsed());
            Ip($"address add 10.203.7.1/24 dev {_tap}");
            Ip($"link set {_tap} up");
            Ip($"neighbour add 10.203.7.2 lladdr 02:00:00:00:00:02 dev {_tap}");
            // The kernel sends: whatever else it does first, this datagram comes.
            using var udp = new System.Net.Sockets.UdpClient("10.203.7.2", 9);
            byte[] payload = new byte[1000];
            udp.Send(payload);
            ReceivedFrame got;
            do
                got = guest.Receive().NextFrame();
            while (got.Frame[12] != 8 || got.Frame[13] != 0 || got.Frame[23] != 17 || got.Frame.Length != 14 + 20 + 8 + payload.Length);
            // The kernel left the checksum to us, as was agreed on.
            Assert.Equal(NetHeader.NeedsChecksum, NetHeader.Parse(got.Header).Flags);

            // And it takes: an ARP request for its address is answered.
            guest.Send(ArpRequest());
            byte[] reply;
            do
                reply = guest.ReceiveFrame();
            while (reply[12] != 8 || reply[13] != 6 || reply[21] != 2);
            Assert.Equal("10.203.7.1", new System.Net.IPAddress(reply[28..32]).ToString());
        }
        Assert.Equal(0, await run.InterruptAsync());
        var counts = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal(2, counts.GetProperty("received").GetInt64() + counts.GetProperty("refused").GetInt64());
        Assert.True(counts.GetProperty("sent").GetInt64() >= 2);
    }

    [RootFact]
    public async Task A_tap_that_another_program_has_is_refused()
    {
        string port = _switch.AddPort("host");
        using var first = new AgentRun("net", "--port", port, "--tap", _tap);
        first.Says("attached");
        using var second = new AgentRun("net", "--port", port, "--tap", _tap);
        Assert.Equal(1, await second.EndAsync());
        Assert.Contains("another program has it", second.Error, StringComparison.Ordinal);
        Assert.Equal(0, await first.InterruptAsync());
    }

    [RootFact]
    public async Task An_interface_that_is_no_tap_is_refused()
    {
        using var run = new AgentRun("net", "--port", "x", "--tap", "lo");
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains("no tap", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_no_interface_can_have_is_refused()
    {
        using var run = new AgentRun("net", "--port", "x", "--tap", "sixteen-letters-x");
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains("cannot be an interface's name", run.Error, StringComparison.Ordinal);
    }

    private AgentRun Join(out TestGuest guest, ulong features)
    {
        string host = _switch.AddPort("host"), vm = _switch.AddPort("vm");
        _switch.AddLink("wire", "host", "vm", TimeSpan.FromSeconds(10));
        guest = TestGuest.Run(vm, new TestGuestOptions { Features = features });
        var run = new AgentRun("net", "--port", host, "--tap", _tap, "--json");
        _switch.PortIn(PortState.Running, "host");
        return run;
    }

    private static byte[] ArpRequest()
    {
        byte[] frame = new byte[60];
        frame.AsSpan(0, 6).Fill(0xff);
        byte[] rest = [2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 203, 7, 2, 0, 0, 0, 0, 0, 0, 10, 203, 7, 1];
        rest.CopyTo(frame, 6);
        return frame;
    }

    private static void Ip(string arguments)
    {
        using var ip = Process.Start("ip", arguments);
        ip.WaitForExit();
        Assert.Equal(0, ip.ExitCode);
    }
}
