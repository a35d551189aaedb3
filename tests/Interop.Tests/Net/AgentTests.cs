using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Net;

/// <summary>Guests that are processes, which negotiate in rounds (docs/multi-round.md), with each other and with a VM.</summary>
[Collection("machine")]
public sealed class AgentTests
{
    private const string HostAddress = "10.0.0.9";

    [Fact]
    public async Task Two_agents_agree_in_rounds_that_are_shown()
    {
        await using var process = await SwitchProcess.StartNewAsync();
        string a = await process.CliAsync("port", "add", "a"), b = await process.CliAsync("port", "add", "b");
        await process.CliAsync("link", "add", "wire", "a", "b");
        await using var blast = await AgentProcess.StartAsync("blast", "--port", a, "--count", "10000");
        await Command.EventuallyAsync(async () => (await process.LinkAsync("wire")).Negotiation.State == NegotiationState.Waiting, "the blast waits for a sink");
        Assert.Contains("until both guests have said what they accept", await process.CliAsync("link", "show", "wire"), StringComparison.Ordinal);
        await using var sink = await AgentProcess.StartAsync("sink", "--port", b, "--refuse", "event_idx");
        Assert.Contains("10000 frames", await blast.EndAsync(), StringComparison.Ordinal);
        string shown = await process.CliAsync("link", "show", "wire");
        Assert.Matches(@"Round 1 +a was offered .*VIRTIO_F_MULTI_ROUND", shown);
        Assert.Matches(@"Round 3, the last +a was offered (?!.*VIRTIO_F_MULTI_ROUND)", shown);
        Assert.Matches(@"b took all but .*VIRTIO_F_EVENT_IDX", shown);
        Assert.StartsWith("10000 frames", await sink.InterruptAsync(), StringComparison.Ordinal);
    }

    /// <summary>An unmodified guest has accepted what it has, and the agent is told at once what fits that.</summary>
    [VmTheory]
    [InlineData("", NegotiationState.Agreed)]
    [InlineData("guest_csum", NegotiationState.Translated)]
    public async Task A_VM_and_the_hosts_kernel(string refused, NegotiationState outcome)
    {
        await Repository.BuildGuestAsync();
        await using var process = await SwitchProcess.StartNewAsync();
        await process.CliAsync("port", "add", "alice");
        string host = await process.CliAsync("port", "add", "host");
        await process.CliAsync("link", "add", "cable", "alice", "host");
        string tap = $"igt{Environment.ProcessId}";
        await using var agent = await AgentProcess.StartAsync(["net", "--port", host, "--tap", tap, .. refused == "" ? (string[])[] : ["--refuse", refused]]);
        await using var alice = new Vm("alice", process.Directory);
        await alice.StartAsync(await VmPair.ArgumentsAsync(process, alice));
        await alice.WaitAsync();
        await process.LinkIsUpAsync("cable");
        await Command.MustAsync("sh", ["-c", $"ip address add {HostAddress}/24 dev {tap}; ip link set {tap} up"]);
        await alice.ExecAsync("net_up $(nic) 10.0.0.1/24");
        await alice.ExecAsync($"wait_for 20 /bin/ping -c 1 -W 1 {HostAddress}");
        var negotiation = (await process.LinkAsync("cable")).Negotiation;
        Assert.True(negotiation is { Rounds: [.., { Final: true, Sides: [{ InRounds: false }, { InRounds: true, Answered: true }] }] }, negotiation.ToString());
        Assert.Equal(outcome, negotiation.State);
        await SendAsync(alice, 8);
        Assert.Equal(outcome == NegotiationState.Translated, (await process.LinkAsync("cable")).Directions[0].Translation.Frames > 100);
        Assert.Contains("frames sent", await agent.InterruptAsync(), StringComparison.Ordinal);
    }

    /// <summary>A stream of random bytes from the guest to the host; the SHA-256 at both ends must be the same.</summary>
    private static async Task SendAsync(Vm vm, int megabytes)
    {
        var receiver = Command.MustAsync("sh", ["-c", $"socat -u TCP-LISTEN:7003,bind={HostAddress},reuseaddr - | sha256sum"], TimeSpan.FromMinutes(3));
        string sent = await vm.ExecAsync(
            $"dd if=/dev/urandom of=/tmp/s bs=1M count={megabytes} 2>/dev/null; sha256sum </tmp/s; n=0; "
            + $"until socat -u OPEN:/tmp/s TCP:{HostAddress}:7003 2>/dev/null; do n=$((n+1)); [ $n -lt 50 ] || exit 1; usleep 200000; done; rm -f /tmp/s", 150);
        Assert.Equal(sent, (await receiver).TrimEnd());
    }
}
