using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;
using Xunit.Abstractions;

namespace InterGuest.Interop.Tests.Net;

/// <summary>Live migration of a guest from one QEMU to another, while it receives and sends.</summary>
[Collection("machine")]
public sealed class MigrationTests(ITestOutputHelper output)
{
    private const string LogAll = "VHOST_F_LOG_ALL";

    /// <summary>
    /// A TCP stream begins before the migration and ends after it: a page that we wrote and did not log would be an old one
    /// at the new place, and the stream would stand still or arrive as something else.
    /// </summary>
    [VmFact]
    public async Task A_guest_migrates_under_traffic_and_nothing_of_its_memory_is_lost()
    {
        await using var pair = await VmPair.BootAsync();
        await using var next = new Vm("bob2", pair.Switch.Directory);
        await pair.Switch.CliAsync("port", "add", "bob2");
        string channel = $"unix:{Path.Combine(pair.Switch.Directory, "migration")}";
        await next.StartAsync([.. await SameDeviceAsync(pair, next), "-incoming", channel]);

        await pair.Bob.ExecAsync("(socat -u TCP-LISTEN:7000,reuseaddr - | sha256sum >/tmp/got) >/dev/null 2>&1 & (socat -u TCP-LISTEN:7001,reuseaddr - >/dev/null) >/dev/null 2>&1 &");
        string sent = await pair.Alice.ExecAsync(
            "dd if=/dev/urandom of=/tmp/s bs=1M count=24 2>/dev/null; sha256sum </tmp/s; "
            + $"(dd if=/tmp/s bs=64k 2>/dev/null | socat -u - TCP:{VmPair.PeerAddress(pair.Alice)}:7000; echo sent >/tmp/done) >/dev/null 2>&1 &", 120);

        bool logged = await MigrateAsync(pair, channel);
        // A port serves one VMM: the guest has come to another port, and the cable follows it.
        await pair.Switch.CliAsync("link", "remove", "cable");
        await pair.Switch.CliAsync("link", "add", "cable", "alice", "bob2");
        await pair.Switch.PortBecomesAsync("bob2", PortState.Running);
        await pair.ReachesAsync(pair.Alice);
        await Command.EventuallyAsync(
            async () => (await next.TryExecAsync("grep -q - /tmp/got")).ExitCode == 0, "the stream ends", TimeSpan.FromSeconds(180));
        Assert.Equal(sent, await next.ExecAsync("cat /tmp/got"));
        Assert.True(logged, "the front-end did not ask for a log of dirty pages");
        foreach (string name in new[] { "alice", "bob", "bob2" })
        {
            var port = await pair.Switch.PortAsync(name);
            Assert.Empty(port.Counters.Faults);
            Assert.Empty(port.Counters.MessageFaults);
            Assert.Equal(0ul, port.Counters.LogOutOfRange);
        }
    }

    /// <summary>Migrates bob away.</summary>
    /// <returns>Whether it asked for the log meanwhile.</returns>
    private async Task<bool> MigrateAsync(VmPair pair, string channel)
    {
        bool logged = false;
        await pair.Bob.QmpAsync($$"""{"execute":"migrate","arguments":{"uri":"{{channel}}"} }""");
        await Command.EventuallyAsync(async () =>
        {
            logged |= (await pair.Switch.PortAsync("bob")).AcceptedFeatures.Contains(LogAll);
            var answer = (await pair.Bob.QmpAsync("""{"execute":"query-migrate"}""")).GetProperty("return");
            string status = answer.GetProperty("status").GetString()!;
            Assert.NotEqual("failed", status);
            if (status == "completed")
                output.WriteLine(answer.ToString());
            return status == "completed";
        }, "the migration completes", TimeSpan.FromSeconds(180));
        return logged;
    }

    /// <summary>The arguments for the new place: all as at the old one, but the socket.</summary>
    private static async Task<string[]> SameDeviceAsync(VmPair pair, Vm next)
    {
        string[] old = await pair.ArgumentsAsync(pair.Bob, "");
        string socket = (await pair.Switch.PortAsync("bob")).SocketPath, other = (await pair.Switch.PortAsync(next.Name)).SocketPath;
        Assert.Contains(old, a => a.Contains(socket, StringComparison.Ordinal));
        return [.. old.Select(a => a.Replace(socket, other, StringComparison.Ordinal))];
    }
}
