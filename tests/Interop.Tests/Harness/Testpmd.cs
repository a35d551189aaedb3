using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace InterGuest.Interop.Tests.Harness;

/// <summary>DPDK's testpmd with two virtio-user ports, which is two guests: an independent driver and front-end.</summary>
internal sealed partial class Testpmd : IAsyncDisposable
{
    private const string Prompt = "testpmd> ";
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly SemaphoreSlim _news = new(0);

    private Testpmd(Process process) => _process = process;

    /// <summary>Starts it on two sockets, its ports stopped forwarding.</summary>
    /// <param name="first">A port's socket.</param>
    /// <param name="second">Another's.</param>
    /// <param name="device">More of virtio-user's arguments, e.g. <c>mrg_rxbuf=0</c>.</param>
    /// <param name="queues">Queue pairs.</param>
    /// <param name="secondDevice">The same as <paramref name="device"/> for the second; null: as the first.</param>
    /// <param name="pieces">Bytes of each of the buffers that a frame is sent in, as <c>2000,2000</c>; null: one of 64 bytes.</param>
    public static async Task<Testpmd> StartAsync(
        string first, string second, string device, int queues, string? secondDevice = null, string? pieces = null)
    {
        const string segments = "0x8000"; // RTE_ETH_TX_OFFLOAD_MULTI_SEGS
        string Arguments(string more) => $",queues={queues}{(queues > 1 ? ",cq=1" : "")}{(more == "" ? "" : "," + more)}";
        var process = new Process
        {
            // Line by line: into a pipe it would print when some KiB are full.
            StartInfo = new ProcessStartInfo("stdbuf",
            [
                "-oL", "dpdk-testpmd", "--no-huge", "-m", "512", "--no-pci", "--no-telemetry", "--no-shconf", "-l", "0,1",
                "--vdev", $"net_virtio_user0,path={first}{Arguments(device)}", "--vdev", $"net_virtio_user1,path={second}{Arguments(secondDevice ?? device)}",
                "--", "-i", "--forward-mode=io", "--nb-cores=1", $"--rxq={queues}", $"--txq={queues}", "--total-num-mbufs=16384",
                .. pieces == null ? Array.Empty<string>() : [$"--txpkts={pieces}", $"--tx-offloads={segments}"],
            ])
            { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true },
        };
        var testpmd = new Testpmd(process);
        process.OutputDataReceived += (_, e) => testpmd.Take(e.Data);
        process.ErrorDataReceived += (_, e) => testpmd.Take(e.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await testpmd.TellAsync("show port summary all", "virtio", 2);
        return testpmd;
    }

    /// <summary>Sets off so many frames per queue, which go round and round.</summary>
    public Task CirculateAsync(int bursts) => TellAsync($"start tx_first {bursts}", "packet forwarding", 1);

    /// <summary>Frames received by each port so far.</summary>
    public async Task<long[]> ReceivedAsync()
    {
        var lines = await TellAsync("show port stats all", "Tx-pps:", 2);
        return [.. Counts(lines, RxPackets())];
    }

    /// <summary>Stops forwarding.</summary>
    /// <returns>Frames received and sent over all ports, and dropped.</returns>
    public async Task<(long Received, long Sent, long Dropped)> StopAsync()
    {
        var lines = await TellAsync("stop", "Done.", 1);
        string all = string.Join('\n', lines.SkipWhile(l => !l.Contains("Accumulated", StringComparison.Ordinal)));
        return (Counts([all], Total("RX-packets")).Single(), Counts([all], Total("TX-packets")).Single(), Counts([all], Total("TX-dropped")).Single());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await _process.StandardInput.WriteLineAsync("quit");
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            try
            {
                await _process.WaitForExitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
            }
        }
        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line == null)
            return;
        lock (_lines)
            _lines.Add(line.Replace(Prompt, "", StringComparison.Ordinal));
        _news.Release();
    }

    /// <summary>Gives a command, and waits until its output has a text so often.</summary>
    private async Task<List<string>> TellAsync(string command, string until, int times)
    {
        int from;
        lock (_lines)
            from = _lines.Count;
        await _process.StandardInput.WriteLineAsync(command);
        using var deadline = new CancellationTokenSource(Command.DefaultTimeout);
        while (true)
        {
            List<string> lines;
            lock (_lines)
                lines = _lines[from..];
            if (lines.Count(l => l.Contains(until, StringComparison.Ordinal)) >= times)
                return lines;
            try
            {
                await _news.WaitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"testpmd did not answer '{command}':\n{string.Join('\n', lines)}");
            }
        }
    }

    private static IEnumerable<long> Counts(IEnumerable<string> lines, Regex pattern) =>
        lines.Select(l => pattern.Match(l)).Where(m => m.Success).Select(m => long.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture));

    private static Regex Total(string name) => new(name + @": (\d+)");

    [GeneratedRegex(@"RX-packets: (\d+)")]
    private static partial Regex RxPackets();
}
