using System.Text.Json;
using InterGuest.Protos.V1;
using InterGuest.Switch.Tests;

namespace InterGuest.Agent.Tests.Net;

/// <summary>ping, blast and sink over a real switch.</summary>
public sealed class FramesTests : IDisposable
{
    private readonly TestSwitch _switch = new();
    private readonly string _a;
    private readonly string _b;

    public FramesTests()
    {
        (_a, _b) = (_switch.AddPort("a"), _switch.AddPort("b"));
        _switch.AddLink("wire", "a", "b", TimeSpan.FromSeconds(10));
    }

    public void Dispose() => _switch.Dispose();

    [Theory]
    [InlineData(60)]
    [InlineData(1514)]
    [InlineData(65535)]
    public async Task All_frames_of_a_blast_reach_the_sink_unchanged_and_in_order(int size)
    {
        const int Count = 3000;
        using var sink = StartSink("--count", $"{Count}", "--json");
        using var blast = new AgentRun("blast", "--port", _a, "--count", $"{Count}", "--size", $"{size}", "--json");
        Assert.Equal(0, await blast.EndAsync());
        Assert.Equal(0, await sink.EndAsync());
        var sent = JsonDocument.Parse(blast.Output).RootElement;
        var received = JsonDocument.Parse(sink.Output).RootElement;
        Assert.Equal(Count, sent.GetProperty("completed").GetInt64());
        Assert.Equal(Count, received.GetProperty("received").GetInt64());
        Assert.Equal((long)Count * size, received.GetProperty("bytes").GetInt64());
        Assert.Equal(0, received.GetProperty("missing").GetInt64());
    }

    [Fact]
    public async Task A_ping_is_answered_by_the_sink()
    {
        using var sink = StartSink();
        using var ping = new AgentRun("ping", "--port", _a, "--count", "20", "--interval", "0", "--size", "1000", "--timeout", "20s");
        Assert.Equal(0, await ping.EndAsync());
        Assert.Contains("20 sent, 20 answered, 0 lost", ping.Output, StringComparison.Ordinal);
        Assert.Equal(0, await sink.InterruptAsync());
        Assert.Contains("20 pings sent back", sink.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_ping_that_nobody_answers_is_lost_and_fails()
    {
        using var ping = new AgentRun("ping", "--port", _a, "--no-rounds", "--count", "2", "--interval", "0", "--timeout", "1ms", "--json");
        Assert.Equal(1, await ping.EndAsync());
        Assert.Equal(2, JsonDocument.Parse(ping.Output).RootElement.GetProperty("lost").GetInt64());
    }

    [Fact]
    public async Task A_rate_is_kept()
    {
        using var sink = StartSink();
        using var blast = new AgentRun("blast", "--port", _a, "--count", "60", "--rate", "200", "--json");
        Assert.Equal(0, await blast.EndAsync());
        Assert.True(JsonDocument.Parse(blast.Output).RootElement.GetProperty("seconds").GetDouble() > 59 / 200.0);
    }

    [Fact]
    public async Task A_port_that_is_removed_and_made_again_is_waited_for()
    {
        using var sink = StartSink("--count", "10", "--json");
        _switch.Do(b => b.DeleteLink("wire"));
        _switch.Do(b => b.DeletePort("b"));
        sink.Says("waiting for it");
        Assert.Equal(_b, _switch.AddPort("b"));
        _switch.AddLink("wire", "a", "b", TimeSpan.FromSeconds(10));
        using var blast = new AgentRun("blast", "--port", _a, "--count", "10");
        Assert.Equal(0, await blast.EndAsync());
        Assert.Equal(0, await sink.EndAsync());
    }

    [Fact]
    public async Task A_port_that_is_not_there_yet_is_waited_for()
    {
        using var sink = new AgentRun("sink", "--port", _switch.Directory.At("c.sock"), "--no-rounds");
        sink.Says("waiting for it");
        _switch.AddPort("c");
        _switch.PortIn(PortState.Running, "c");
        Assert.Equal(0, await sink.InterruptAsync());
    }

    private AgentRun StartSink(params string[] more) => new(["sink", "--port", _b, .. more]);
}
