using System.Diagnostics;

namespace InterGuest.Fuzz.Engine;

/// <summary>Makes a failing input shorter and simpler, as long as it fails.</summary>
internal static class Minimizer
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static byte[] Minimize(byte[] input, Func<byte[], bool> fails)
    {
        long started = Stopwatch.GetTimestamp();
        bool Better(byte[] candidate) => Stopwatch.GetElapsedTime(started) < Patience && fails(candidate);
        // What is shorter or simpler now can be made shorter in ways that it could not before.
        for (int before = int.MaxValue; input.Length < before;)
        {
            before = input.Length;
            input = Simpler(Shorter(input, Better), Better);
        }
        return input;
    }

    private static byte[] Shorter(byte[] input, Func<byte[], bool> better)
    {
        for (int chunk = Math.Max(1, input.Length / 2); chunk > 0; chunk /= 2)
            for (int at = 0; at + chunk <= input.Length;)
            {
                byte[] shorter = [.. input[..at], .. input[(at + chunk)..]];
                if (better(shorter))
                    input = shorter;
                else
                    at += chunk;
            }
        return input;
    }

    private static byte[] Simpler(byte[] input, Func<byte[], bool> better)
    {
        for (int at = 0; at < input.Length; at++)
        {
            byte[] simpler = [.. input];
            simpler[at] = 0;
            if (input[at] != 0 && better(simpler))
                input = simpler;
        }
        return input;
    }
}
