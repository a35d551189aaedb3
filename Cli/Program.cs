using InterGuest.Cli;

using var interrupt = new Interrupt();
await using CliContext context = CliContext.OfProcess(interrupt);
return await CommandLine.RunAsync(args, context, interrupt.Token);
