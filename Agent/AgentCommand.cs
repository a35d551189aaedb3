using System.CommandLine;
using System.CommandLine.Invocation;
using InterGuest.Agent.Commands;

namespace InterGuest.Agent;

/// <summary>From arguments to an exit code; here every exception ends.</summary>
internal static class AgentCommand
{
    private static readonly TimeSpan TimeToEnd = TimeSpan.FromSeconds(8);

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, AgentContext context, CancellationToken cancel)
    {
        try
        {
            var parsed = Build(context).Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
            if (parsed.Action is ParseErrorAction)
            {
                context.Log.Say(string.Join("; ", parsed.Errors.Select(e => e.Message.TrimEnd('.')).Distinct()));
                context.Error.WriteLine($"  See '{Path(parsed.CommandResult)} --help'.");
                return ExitCodes.Usage;
            }
            return await parsed.InvokeAsync(
                new InvocationConfiguration { Output = context.Out, Error = context.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeToEnd },
                cancel);
        }
        catch (AgentException e)
        {
            context.Log.Say(e.Message);
            return ExitCodes.Failed;
        }
        catch (Exception e)
        {
            context.Log.Say($"a fault of interguest-agent: please report it. {e}");
            return ExitCodes.Failed;
        }
    }

    /// <summary>The command line, for those who only want to know it, too.</summary>
    internal static RootCommand Build(AgentContext context) => new(
        "A guest of an InterGuest switch that is a process, or a program in a VM: drives the device of a port.\n"
        + "A switch that goes away is waited for.")
    {
        ServeBlockCommand.Create(context),
        AttachBlockCommand.Create(context),
        NetCommand.Create(context),
        ConsoleCommand.Create(context),
        EntropyCommand.Create(context),
        PingCommand.Create(context),
        BlastCommand.Create(context),
        SinkCommand.Create(context),
    };

    private static string Path(System.CommandLine.Parsing.CommandResult result) =>
        result.Command is RootCommand ? "interguest-agent" : $"interguest-agent {result.Command.Name}";
}
