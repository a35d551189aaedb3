using System.Diagnostics;
using InterGuest.Testing;

namespace InterGuest.Fuzz.Tests;

/// <summary>
/// No wake-up is lost, by an exhaustive search of the models in tests/models; with an error put in, one is. The models' heads
/// say what they are of.
/// </summary>
public class ModelTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    [SpinTheory]
    [InlineData("notification", "", "NO_RECHECK", "NO_DRIVER_RECHECK", "NO_FENCE", "NO_PUBLISH_FENCE")]
    [InlineData("notification", "EVENT_IDX", "NO_RECHECK", "NO_DRIVER_RECHECK", "NO_FENCE", "NO_PUBLISH_FENCE", "LATE_EVENT")]
    [InlineData("handover", "", "NO_WAIT", "NO_FIRST_LOOK", "WAKE_FIRST", "NO_CHECK")]
    public void TheModelHoldsAndItsErrorsAreFound(string model, string variant, params string[] errors)
    {
        string with = variant == "" ? model : $"{model} with {variant}";
        string[] expected = [$"models: {with}: holds", .. errors.Select(e => $"models: {with}: {e} is found")];
        Assert.Equal(expected, Verify([model, variant]));
    }

    private static string[] Verify(string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(SourceTree.Root, "tests", "models", "verify.sh"), arguments) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        using var deadline = new CancellationTokenSource(Patience);
        using var kill = deadline.Token.Register(() => process.Kill(entireProcessTree: true));
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.False(deadline.IsCancellationRequested, $"verify.sh did not end in {Patience.TotalMinutes} minutes");
        Assert.True(process.ExitCode == 0, $"verify.sh: exit status {process.ExitCode}\n{output}");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private sealed class SpinTheoryAttribute : TheoryAttribute
    {
        public SpinTheoryAttribute()
        {
            if (!Has("spin") || !Has("gcc"))
                Skip = "spin or gcc is not installed: deploy/setup.sh tests";
        }

        private static bool Has(string program) =>
            (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(d => File.Exists(Path.Combine(d, program)));
    }
}
