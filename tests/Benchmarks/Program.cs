using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;

namespace InterGuest.Benchmarks;

/// <summary>The command line: which benchmark, and for how long.</summary>
internal static class Program
{
    private const string Usage = """
        usage: Benchmarks micro [BenchmarkDotNet's options, as --filter '*Forward*']
               Benchmarks fairness [SECONDS]
               Benchmarks flip [SECONDS]
               Benchmarks loop [SECONDS]
               Benchmarks guests PID SOCKET...
               Benchmarks compare RAW.TSV PICTURE.SVG
               Benchmarks block SOCKET read|write random|sequential BYTES DEPTH SECONDS

        micro     the parts of the data path, in ns per frame and bytes allocated
        fairness  a link's rate on a loop of its own, and with another guest that floods the same loop, in turn, SECONDS (2)
                  each: what the other takes away. A fair loop leaves half or more.
        loop      the rate of 1 to 64 busy links in one loop, SECONDS (1) each
        guests    guests on these sockets of the switch PID: the cost of silence, and the latency after it; for scale.sh
        compare   the table and the picture of what run.sh measured
        flip      a copy beside mapping the sender's pages in the receiver's place, by size, SECONDS (1) each
        block     requests per second of a vhost-user block device; block.sh compares with it.
        """;

    private static int Main(string[] args)
    {
        switch (args)
        {
            case ["micro", .. var options]:
                BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(options.Length > 0 ? options : ["--filter", "*"], Config());
                return 0;
            case ["fairness"] or ["fairness", _]:
                FairnessBenchmark.Run(Seconds(args, 2));
                return 0;
            case ["flip"] or ["flip", _]:
                PageFlipBenchmark.Run(Seconds(args, 1));
                return 0;
            case ["loop"] or ["loop", _]:
                ScaleBenchmark.Loop(Seconds(args, 1));
                return 0;
            case ["guests", var pid, .. var sockets] when sockets.Length >= 2:
                ScaleBenchmark.Guests(int.Parse(pid, CultureInfo.InvariantCulture), sockets, TimeSpan.FromSeconds(10));
                return 0;
            case ["compare", var raw, var picture]:
                return Comparison.Run(raw, picture) ? 0 : 1;
            case ["block", .. { Length: 6 } block]:
                return BlockLoad.Run(block);
            default:
                Console.Error.WriteLine(Usage);
                return 2;
        }
    }

    private static TimeSpan Seconds(string[] args, double otherwise) =>
        TimeSpan.FromSeconds(args.Length < 2 ? otherwise : double.Parse(args[1], CultureInfo.InvariantCulture));

    // In this process: a project made on the fly would need a registry.
    private static ManualConfig Config() => ManualConfig.CreateEmpty()
        .WithArtifactsPath(Path.Combine("artifacts", "benchmarks", "micro"))
        .AddJob(Job.ShortRun.WithToolchain(InProcessNoEmitToolchain.Instance))
        .AddDiagnoser(MemoryDiagnoser.Default)
        .AddColumnProvider(DefaultColumnProviders.Instance)
        .AddExporter(MarkdownExporter.GitHub)
        .AddLogger(ConsoleLogger.Default);
}
