using System.CommandLine;
using System.CommandLine.Invocation;
using InterGuest.Cli.Commands;
using InterGuest.Cli.Output;

namespace InterGuest.Cli;

/// <summary>From arguments to an exit code; here every exception ends.</summary>
internal static class CommandLine
{
    // errno EPIPE, which .NET gives as it is.
    private const int BrokenPipe = 32;

    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, CliContext context, CancellationToken cancellation)
    {
        bool json = arguments.Contains("--json"); // until the parser has said it
        try
        {
            ParseResult result = Parse(arguments, context);
            if (result.Action is ParseErrorAction)
                throw UsageErrors.Of(result);
            json = GlobalOptions.IsJson(result);
            return await result.InvokeAsync(Configuration(context), cancellation);
        }
        catch (CliException e)
        {
            ErrorReport.Write(context.Error, e, json);
            return e.ExitCode;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return context.InterruptExitCode();
        }
        catch (IOException e) when (e.HResult == BrokenPipe)
        {
            return ExitCodes.Success; // who read our output had enough, as `| head` has
        }
        catch (Exception e)
        {
            CliException unexpected = Unexpected(e);
            ErrorReport.Write(context.Error, unexpected, json);
            return unexpected.ExitCode;
        }
    }

    public static ParseResult Parse(IReadOnlyList<string> arguments, CliContext context) =>
        RootCommandBuilder.Build(context).Parse(arguments, new ParserConfiguration
        {
            // A name is passed as it is, also one that begins with '@'.
            ResponseFileTokenReplacer = null,
            EnablePosixBundling = false,
        });

    // Exactly that: a missing file is an IOException, too, and no fault of standard output.
    private static CliException Unexpected(Exception e) =>
        e.GetType() == typeof(IOException) || e is UnauthorizedAccessException
        ? CliException.Refused("INTERNAL", $"cannot write the output: {e.Message}", cause: e)
        : CliException.Refused("INTERNAL", $"{e.GetType().Name}: {e.Message}",
            "This is a fault of interguest: please report it.", e);

    private static InvocationConfiguration Configuration(CliContext context) => new()
    {
        Output = context.Out,
        Error = context.Error,
        EnableDefaultExceptionHandler = false,
        ProcessTerminationTimeout = null, // Interrupt does that
    };
}
