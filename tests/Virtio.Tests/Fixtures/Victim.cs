using System.Diagnostics;
using System.Reflection;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>Runs a static method of a test class in a process of its own: it may crash, and the tests go on.</summary>
internal static class Victim
{
    /// <summary>The process's exit code: 0 if the method returned.</summary>
    internal static (int ExitCode, string Output) Run(Action method)
    {
        using var process = Process.Start(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            ArgumentList = { "exec", typeof(Victim).Assembly.Location, method.Method.DeclaringType!.FullName!, method.Method.Name },
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            Environment = { ["DOTNET_DbgEnableMiniDump"] = "0" },
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        if (!process.WaitForExit(Waiting.Patience))
        {
            process.Kill();
            throw new TimeoutException($"{method.Method.Name} did not end");
        }
        return (process.ExitCode, output + errors.Result);
    }

    private static int Main(string[] args)
    {
        var method = typeof(Victim).Assembly.GetType(args[0])?.GetMethod(args[1], BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public);
        if (method == null)
            return 99;
        method.Invoke(null, null);
        return 0;
    }
}
