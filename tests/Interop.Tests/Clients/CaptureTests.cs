using InterGuest.Interop.Tests.Harness;
using InterGuest.Testing;

namespace InterGuest.Interop.Tests.Clients;

/// <summary>What the switch captures is what tcpdump reads.</summary>
public sealed class CaptureTests
{
    private const int Count = 40;

    [TcpdumpFact]
    public async Task Tcpdump_reads_the_frames_that_the_guests_sent()
    {
        await using var process = await SwitchProcess.StartNewAsync();
        await process.CliAsync("port", "add", "a");
        await process.CliAsync("port", "add", "b");
        await process.CliAsync("link", "add", "l", "a", "b");
        using var a = TestGuest.Run(Path.Combine(process.Directory, "p", "a.sock"));
        using var b = TestGuest.Run(Path.Combine(process.Directory, "p", "b.sock"));
        string file = Path.Combine(process.Directory, "l.pcapng");
        // Through a pipe, as people do it; it ends by its count, whenever it began.
        var capture = Command.MustAsync("sh",
            ["-c", $"'{Repository.Program("interguest")}' capture l --count {Count} -w - | tee '{file}' | tcpdump -nn -xx -r -"], environment: process.Environment());
        byte[] frame = Udp();
        while (!capture.IsCompleted)
        {
            a.Send(frame);
            Assert.Equal(frame, b.ReceiveFrame());
            a.Transmit().NextUsed();
        }
        string[] lines = (await capture).Split('\n');
        Assert.Equal(Count, lines.Count(l => l.Contains("IP 10.0.0.1.4000 > 10.0.0.2.5000: UDP, length 18", StringComparison.Ordinal)));
        string dump = string.Concat(lines.SkipWhile(l => !l.Contains("0x0000:", StringComparison.Ordinal)).TakeWhile(l => l.Contains("0x00", StringComparison.Ordinal))
            .Select(l => l[(l.IndexOf(": ", StringComparison.Ordinal) + 2)..])).Replace(" ", "", StringComparison.Ordinal);
        Assert.Equal(Convert.ToHexStringLower(frame), dump);
        // The file is whole, and a filter of tcpdump's own finds in it what it should.
        Assert.Equal(Count, (await Command.MustAsync("tcpdump", ["-nn", "-r", file, "udp port 5000"])).Split('\n').Length);
        Assert.Equal("", await Command.MustAsync("tcpdump", ["-nn", "-r", file, "udp port 5001"]));
    }

    private static byte[] Udp()
    {
        byte[] frame = new byte[60];
        byte[] head = Convert.FromHexString("020000000002" + "020000000001" + "0800" + "4500002e000100004011" + "66bc" + "0a0000010a000002" + "0fa01388001a0000");
        head.CopyTo(frame, 0);
        for (int i = head.Length; i < frame.Length; i++)
            frame[i] = (byte)i;
        return frame;
    }
}
