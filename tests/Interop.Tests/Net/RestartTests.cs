using InterGuest.Interop.Tests.Harness;

namespace InterGuest.Interop.Tests.Net;

/// <summary>A TCP stream goes on through the end of a switch and the beginning of the next, whoever connects to whom.</summary>
[Collection("machine")]
public sealed class RestartTests
{
    private const int Megabytes = 48;

    [VmTheory]
    [InlineData("listen")]
    [InlineData("connect")]
    public async Task A_stream_outlives_the_switch(string mode)
    {
        await using var pair = await VmPair.BootAsync(new VmPairOptions { Mode = mode });
        // Slow enough that it is under way during both restarts.
        await pair.Switch.CliAsync("port", "set", "alice", "--rate", "40M");
        var stream = Traffic.StreamAsync(pair, pair.Alice, Megabytes);
        for (int restart = 0; restart < 2; restart++)
        {
            ulong before = await SentAsync(pair);
            await Command.EventuallyAsync(async () => await SentAsync(pair) > before + 2_000_000, "the stream flows");
            Assert.False(stream.IsCompleted, "the stream was over before the switch was ended");
            if (restart == 0)
                await pair.Switch.TerminateAsync();
            else
                await pair.Switch.KillAsync();
            await pair.Switch.StartAsync();
        }
        await stream;
    }

    private static async Task<ulong> SentAsync(VmPair pair) => (await pair.Switch.PortAsync("alice")).Counters.TxBytes;
}
