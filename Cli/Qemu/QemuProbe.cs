using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace InterGuest.Cli.Qemu;

/// <summary>Looks at what this machine has: the QEMU's version, and KVM.</summary>
internal static partial class QemuProbe
{
    /// <summary>Newer than any.</summary>
    public static readonly Version Newest = new(int.MaxValue, 0);

    private const string KvmDevice = "/dev/kvm";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>The version that the program says it has; null when it cannot be run or says something else.</summary>
    public static async Task<Version?> VersionAsync(string program, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Patience);
        try
        {
            return Parse(await OutputAsync(program, limit.Token));
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)".</summary>
    public static Version? Parse(string output) =>
        VersionPattern().Match(output) is { Success: true } match
        && int.TryParse(match.Groups[1].ValueSpan, out int major)
        && int.TryParse(match.Groups[2].ValueSpan, out int minor)
            ? new Version(major, minor)
            : null;

    public static bool KvmOpens()
    {
        try
        {
            using FileStream device = File.Open(KvmDevice, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static async Task<string> OutputAsync(string program, CancellationToken cancellation)
    {
        using var process = new Process();
        process.StartInfo = new ProcessStartInfo(program, ["--version"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        process.Start();
        try
        {
            process.StandardInput.Close();
            Task<string> ignored = process.StandardError.ReadToEndAsync(cancellation);
            string output = await process.StandardOutput.ReadToEndAsync(cancellation);
            await ignored;
            await process.WaitForExitAsync(cancellation);
            return output;
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }

    [GeneratedRegex(@"version (\d+)\.(\d+)")]
    private static partial Regex VersionPattern();
}
