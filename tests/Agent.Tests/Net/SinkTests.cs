using System.Text.Json;
using InterGuest.Agent.Net;
using InterGuest.Protos.V1;
using InterGuest.Switch.Tests;
using InterGuest.Testing;

namespace InterGuest.Agent.Tests.Net;

/// <summary>What a sink finds wrong, sent by a guest that does it on purpose.</summary>
public sealed class SinkTests : IDisposable
{
    private readonly TestSwitch _switch = new();
    private readonly TestGuest _guest;
    private readonly AgentRun _sink;

    public SinkTests()
    {
        string a = _switch.AddPort("a"), b = _switch.AddPort("b");
        _switch.AddLink("wire", "a", "b");
        _sink = new AgentRun("sink", "--port", b, "--json");
        _guest = TestGuest.Run(a);
        _switch.PortIn(PortState.Running, "b");
    }

    public void Dispose()
    {
        _guest.Dispose();
        _sink.Dispose();
        _switch.Dispose();
    }

    [Fact]
    public Task A_gap_is_missing_frames() => FindsAsync("missing", 3, Frame(0), Frame(4));

    [Fact]
    public Task A_frame_twice_is_out_of_order() => FindsAsync("outOfOrder", 1, Frame(0), Frame(0));

    [Fact]
    public Task A_changed_byte_of_the_payload_is_corrupt() => FindsAsync("corrupt", 1, Changed(Frame(0), ^1));

    [Fact]
    public Task A_changed_byte_of_the_head_is_corrupt() => FindsAsync("corrupt", 1, Changed(Frame(0), 30));

    [Fact]
    public Task A_frame_cut_short_is_corrupt() => FindsAsync("corrupt", 1, Frame(0)[..70]);

    [Fact]
    public Task A_frame_of_others_is_none_of_its_business() => FindsAsync("foreign", 1, new byte[60]);

    private static byte[] Frame(ulong sequence)
    {
        byte[] frame = new byte[100];
        TestFrame.Prepare(frame, [2, 0, 0, 0, 0, 1], 5);
        new TestFrame(FrameKind.Data, 77, sequence, 0).Write(frame);
        return frame;
    }

    private static byte[] Changed(byte[] frame, Index at)
    {
        frame[at] ^= 0x10;
        return frame;
    }

    private async Task FindsAsync(string what, long count, params byte[][] frames)
    {
        foreach (byte[] frame in frames)
        {
            _guest.Send(frame);
            _guest.Transmit().NextUsed();
        }
        _switch.PortWhen("b", p => p.Counters.RxFrames == (ulong)frames.Length, "the frames are delivered");
        // Delivered is not yet looked at: one frame more, which it sends back when it has.
        byte[] ping = Frame(0);
        new TestFrame(FrameKind.EchoRequest, 1, 0, 0).Write(ping);
        _guest.Send(ping);
        Assert.Equal(ping.Length, _guest.ReceiveFrame().Length);
        Assert.Equal(what == "foreign" ? 0 : 1, await _sink.InterruptAsync());
        Assert.Equal(count, JsonDocument.Parse(_sink.Output).RootElement.GetProperty(what).GetInt64());
    }
}
