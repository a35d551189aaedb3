using System.Globalization;

namespace InterGuest.Benchmarks;

/// <summary>The command line: which benchmark, and for how long.</summary>
internal static class Program
{
    private const string Usage = """
        usage: Benchmarks fairness [SECONDS]

        fairness  a link's rate on a loop of its own, and with another guest that floods the same loop, in turn, SECONDS (2)
                  each: what the other takes away. A fair loop leaves half or more.
        """;

    private static int Main(string[] args)
    {
        if (args is not ["fairness", .. var rest] || rest.Length > 1)
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }
        FairnessBenchmark.Run(TimeSpan.FromSeconds(rest.Length == 0 ? 2 : double.Parse(rest[0], CultureInfo.InvariantCulture)));
        return 0;
    }
}
