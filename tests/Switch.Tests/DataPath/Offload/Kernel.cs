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

/// <summary>Linux's own segmentation and checksums: see kernel.py.</summary>
internal static class Kernel
{
    public const string Python = "/usr/bin/python3";

    /// <summary>What comes out of a device without offloads, packet by packet; null: the kernel refused the packet.</summary>
    public static async Task<List<List<Made>?>> TranslateAsync(IReadOnlyList<(NetHeader Header, byte[] Frame)> packets)
    {
        string script = Path.Combine(SourceTree.Root, "tests/Switch.Tests/DataPath/Offload/kernel.py");
        using var process = Process.Start(new ProcessStartInfo(Python, [script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        try
        {
            var errors = process.StandardError.ReadToEndAsync(deadline.Token);
            var answers = new List<List<Made>?>();
            foreach (var (header, frame) in packets)
            {
                await process.StandardInput.WriteLineAsync($"{Hex(header)} {Convert.ToHexString(frame)}");
                await process.StandardInput.FlushAsync(deadline.Token);
                string? line = await process.StandardOutput.ReadLineAsync(deadline.Token);
                if (line == null)
                    throw new InvalidOperationException(await errors);
                answers.Add(line.StartsWith('!') ? null : [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Parse)]);
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
