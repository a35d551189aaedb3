using System.Diagnostics;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>A test against what the kernel of this machine does: it needs root, a tap and Python.</summary>
internal sealed class KernelFactAttribute : FactAttribute
{
    private static readonly string? Lacking =
        !Environment.IsPrivilegedProcess ? "only root may make a tap"
        : !File.Exists("/dev/net/tun") ? "there is no /dev/net/tun"
        : !File.Exists(Kernel.Python) ? $"there is no {Kernel.Python}"
        : null;

    public KernelFactAttribute() => Skip = Lacking;
}

/// <summary>A test against the packet library scapy.</summary>
internal sealed class ScapyFactAttribute : FactAttribute
{
    private static readonly bool Works = File.Exists(Kernel.Python) && Imports();

    public ScapyFactAttribute() => Skip = Works ? null : "Python's scapy is not installed: deploy/setup.sh tests";

    private static bool Imports()
    {
        using var process = Process.Start(new ProcessStartInfo(Kernel.Python, ["-c", "import scapy"]) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}

/// <summary>Linux's own segmentation and checksums: see kernel.py.</summary>
internal static class Kernel
{
    public const string Python = "/usr/bin/python3";

    /// <summary>What comes out of a device without offloads, packet by packet; null: the kernel refused the packet.</summary>
    public static async Task<List<List<Made>?>> TranslateAsync(IEnumerable<(NetHeader Header, byte[] Frame)> packets)
    {
        var answers = await AskAsync("kernel.py", packets.Select(p => $"{Hex(p.Header)} {Convert.ToHexString(p.Frame)}"));
        return [.. answers.Select(a => a.StartsWith('!') ? null : a.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Parse).ToList())];
    }

    /// <summary>What a script beside this file answers to each line.</summary>
    public static async Task<List<string>> AskAsync(string script, IEnumerable<string> lines)
    {
        string path = Path.Combine(SourceTree.Root, "tests/Switch.Tests/DataPath/Offload", script);
        using var process = Process.Start(new ProcessStartInfo(Python, [path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        try
        {
            var errors = process.StandardError.ReadToEndAsync(deadline.Token);
            var answers = new List<string>();
            foreach (string line in lines)
            {
                await process.StandardInput.WriteLineAsync(line);
                await process.StandardInput.FlushAsync(deadline.Token);
                if (await process.StandardOutput.ReadLineAsync(deadline.Token) is not { } answer)
                    throw new InvalidOperationException(await errors);
                answers.Add(answer);
            }
            process.StandardInput.Close();
            await process.WaitForExitAsync(deadline.Token);
            Assert.Equal((0, ""), (process.ExitCode, await errors));
            return answers;
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    private static string Hex(NetHeader header)
    {
        byte[] bytes = new byte[NetHeader.Bytes];
        header.Write(bytes, 0);
        return Convert.ToHexString(bytes, 0, NetHeader.LegacyBytes);
    }

    private static Made Parse(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex);
        return new Made(NetHeader.Parse(bytes), bytes[NetHeader.LegacyBytes..]);
    }
}
