using System.Text.Json;
using InterGuest.Protos.V1;
using InterGuest.Switch.Tests;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Agent.Tests.Net;

/// <summary>The agent's drivers negotiate in rounds over a real switch (docs/multi-round.md).</summary>
public sealed class RoundsTests : IDisposable
{
    private const string EventIndex = "VIRTIO_F_EVENT_IDX";
    private const ulong Offloads = Features.NetChecksum | Features.NetGuestChecksum | Features.NetHostTso4 | Features.NetGuestTso4;

    private readonly TestSwitch _switch = new();
    private readonly string _a;
    private readonly string _b;

    public RoundsTests()
    {
        (_a, _b) = (_switch.AddPort("a"), _switch.AddPort("b"));
        _switch.AddLink("wire", "a", "b", TimeSpan.FromSeconds(10));
    }

    private Negotiation Negotiation => _switch.Link("wire").Negotiation;

    public void Dispose() => _switch.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_agents_agree_in_any_order_and_no_frame_is_lost(bool sinkFirst)
    {
        using var first = sinkFirst ? Sink() : Blast();
        first.Says("agrees on features");
        Assert.Equal(NegotiationState.Waiting, Negotiation.State);
        Assert.Equal(PortState.Negotiating, _switch.Port(sinkFirst ? "b" : "a").State);
        using var second = sinkFirst ? Blast() : Sink();
        Assert.Equal(0, await first.EndAsync());
        Assert.Equal(0, await second.EndAsync());
        AssertAll(sinkFirst ? first : second);
        Assert.Contains("link wire: features: agreed", _switch.Events);
        Assert.Equal(1ul, _switch.Port("a").Counters.Connections);
    }

    [Fact]
    public async Task Each_round_is_shown_by_feature_name()
    {
        using var sink = new AgentRun("sink", "--port", _b, "--refuse", "event_idx");
        using var ping = new AgentRun("ping", "--port", _a, "--timeout", "20s", "--interval", "0");
        Until(NegotiationState.Agreed);
        var rounds = Negotiation.Rounds;
        Assert.Equal([1u, 2u, 3u], rounds.Select(r => r.Number));
        Assert.Equal([false, false, true], rounds.Select(r => r.Final));
        Assert.All(rounds.Take(2), r => Assert.All(r.Sides, s => Assert.Contains("VIRTIO_F_MULTI_ROUND", s.Taken)));
        Assert.DoesNotContain("VIRTIO_NET_F_CSUM", rounds[0].Sides[0].Offered);
        Assert.Contains("VIRTIO_NET_F_CSUM", rounds[1].Sides[0].Offered);
        Assert.Contains(EventIndex, rounds[2].Sides[0].Taken);
        Assert.DoesNotContain(EventIndex, rounds[1].Sides[1].Taken);
        Assert.DoesNotContain("VIRTIO_F_MULTI_ROUND", rounds[2].Sides.SelectMany(s => s.Offered));
        _switch.PortWhen("a", p => p.Counters.RxFrames > 10, "answers come");
        Assert.Equal(0, await ping.InterruptAsync());
        Assert.Equal(0, await sink.InterruptAsync());
    }

    [Fact]
    public async Task A_peer_that_goes_in_the_middle_is_waited_for_and_the_next_is_agreed_with()
    {
        using var sink = Sink();
        using (var gone = new RoundsGuest(_a, Features.Version1 | Offloads))
        {
            gone.Answer();
            gone.LookAgain(); // round 2
            Wait.Until(() => Negotiation.Rounds.Count == 3 || Negotiation.Rounds[^1].Sides[1].Answered, "the sink answers round 2");
        }
        Until(NegotiationState.Waiting);
        using var blast = Blast();
        Assert.Equal(0, await blast.EndAsync());
        Assert.Equal(0, await sink.EndAsync());
        AssertAll(sink);
        // It did not connect again: the switch asked it to look again.
        Assert.Equal(1ul, _switch.Port("b").Counters.Connections);
    }

    [Fact]
    public async Task A_peer_that_restarts_while_frames_flow_is_agreed_with_anew()
    {
        using var ping = new AgentRun("ping", "--port", _a, "--timeout", "100ms", "--interval", "0", "--quiet");
        using (var sink = new AgentRun("sink", "--port", _b))
        {
            _switch.PortWhen("a", p => p.Counters.RxFrames > 10, "answers come");
            await sink.InterruptAsync();
        }
        Until(NegotiationState.Waiting);
        ulong before = _switch.Port("a").Counters.RxFrames;
        using var another = new AgentRun("sink", "--port", _b);
        _switch.PortWhen("a", p => p.Counters.RxFrames > before + 10, "answers come again");
        Assert.Equal(NegotiationState.Agreed, Negotiation.State);
        Assert.Equal(0, await ping.InterruptAsync());
        Assert.Equal(1ul, _switch.Port("a").Counters.Connections);
    }

    [Fact]
    public async Task Beside_an_agent_without_rounds_the_first_offer_is_the_last()
    {
        using var ping = new AgentRun("ping", "--port", _a, "--no-rounds", "--timeout", "100ms", "--interval", "0", "--quiet");
        _switch.PortIn(PortState.Running, "a");
        using var sink = new AgentRun("sink", "--port", _b);
        _switch.PortWhen("a", p => p.Counters.RxFrames > 10, "answers come");
        Assert.True(Negotiation is { State: NegotiationState.Agreed, Rounds: [{ Final: true, Sides: [{ InRounds: false }, { InRounds: true }] }] });
        Assert.Equal(0, await ping.InterruptAsync());
        Assert.Equal(0, await sink.InterruptAsync());
    }

    [Fact]
    public async Task An_agent_with_another_bit_is_one_without_rounds()
    {
        using var sink = Sink("--multi-round-bit", "48");
        _switch.PortIn(PortState.Running, "b");
        using var blast = Blast();
        Assert.Equal(0, await sink.EndAsync());
        AssertAll(sink);
        Assert.Equal(0, await blast.EndAsync());
    }

    [Fact]
    public async Task A_sink_that_waits_for_its_peer_ends_in_time()
    {
        using var sink = new AgentRun("sink", "--port", _b, "--for", "300ms");
        Assert.Equal(0, await sink.EndAsync());
    }

    [Fact]
    public async Task The_role_is_ended_while_it_waits()
    {
        using var blast = Blast();
        blast.Says("agrees on features");
        Assert.Equal(0, await blast.InterruptAsync());
        Assert.Contains("0 frames", blast.Output, StringComparison.Ordinal);
    }

    [RootFact]
    public async Task The_hosts_interface_does_what_was_agreed_on()
    {
        string tap = $"igr{Environment.ProcessId % 10000000}";
        using var net = new AgentRun("net", "--port", _a, "--tap", tap, "--refuse", "guest_csum");
        using var guest = new RoundsGuest(_b, Features.Version1 | Offloads);
        guest.Answer();
        while (guest.Accepted == null)
            guest.LookAgain();
        Until(NegotiationState.Agreed);
        // Refused with it: what requires it. The guest may then not send what needs it; the other way nothing is lost.
        Assert.Equal(Features.Version1 | Features.NetGuestChecksum | Features.NetGuestTso4, guest.Features);
        string[] accepted = [.. _switch.PortIn(PortState.Running, "a").AcceptedFeatures];
        Assert.Contains("VIRTIO_NET_F_HOST_TSO4", accepted);
        Assert.DoesNotContain("VIRTIO_NET_F_GUEST_TSO4", accepted);
        Assert.DoesNotContain("VIRTIO_NET_F_HOST_TSO6", accepted); // the guest does not take it
        Assert.Contains("b: VIRTIO_NET_F_HOST_TSO4: a is without VIRTIO_NET_F_GUEST_TSO4", Negotiation.Rounds.SelectMany(r => r.Lost));
        Assert.Equal(0, await net.InterruptAsync());
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("version_1")]
    [InlineData("csum,")]
    public async Task What_cannot_be_refused_is_a_usage_error(string features)
    {
        using var run = new AgentRun("sink", "--port", _b, "--refuse", features);
        Assert.Equal(ExitCodes.Usage, await run.EndAsync());
        Assert.Contains("is not a feature that can be refused; these are: csum, guest_csum, mtu", run.Error, StringComparison.Ordinal);
    }

    private AgentRun Sink(params string[] more) => new(["sink", "--port", _b, "--count", "500", "--json", .. more]);

    private AgentRun Blast(params string[] more) => new(["blast", "--port", _a, "--count", "500", .. more]);

    private void Until(NegotiationState state) => Wait.Until(() => Negotiation.State == state, $"the negotiation is {state}");

    private static void AssertAll(AgentRun sink)
    {
        var received = JsonDocument.Parse(sink.Output).RootElement;
        Assert.Equal(500, received.GetProperty("received").GetInt64());
        Assert.Equal(0, received.GetProperty("missing").GetInt64());
    }
}
