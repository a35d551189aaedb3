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
        for (int chunk = Math.Max(1, input.Length / 2); chunk > 0; chunk /= 2)
            for (int at = 0; at + chunk <= input.Length;)
            {
                byte[] shorter = [.. input[..at], .. input[(at + chunk)..]];
                if (Better(shorter))
                    input = shorter;
                else
                    at += chunk;
            }
        for (int at = 0; at < input.Length; at++)
        {
            byte[] simpler = [.. input];
            simpler[at] = 0;
            if (input[at] != 0 && Better(simpler))
                input = simpler;
        }
        return input;
    }
}
