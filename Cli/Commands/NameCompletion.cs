using System.CommandLine;
using System.CommandLine.Completions;
using Grpc.Core;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>
/// Completes names of ports and links from the switch; a switch that does not answer at once has none.
/// </summary>
internal static class NameCompletion
{
    public static Argument<string> OfPort(Argument<string> argument, CliContext context)
    {
        argument.CompletionSources.Add(completion => Ask(completion, context,
            (control, options) => control.ListPortsAsync(new ListPortsRequest(), options),
            response => response.Ports.Select(port => port.Name)));
        return argument;
    }

    public static Argument<string> OfLink(Argument<string> argument, CliContext context)
    {
        argument.CompletionSources.Add(completion => Ask(completion, context,
            (control, options) => control.ListLinksAsync(new ListLinksRequest(), options),
            response => response.Links.Select(link => link.Name)));
        return argument;
    }

    public static Argument<string?> OfPortOrLink(Argument<string?> argument, CliContext context)
    {
        argument.CompletionSources.Add(completion => Ask(completion, context,
            (control, options) => control.GetStatusAsync(new GetStatusRequest(), options),
            status => status.Ports.Select(port => port.Name).Concat(status.Links.Select(link => link.Name))));
        return argument;
    }

    private static string[] Ask<T>(CompletionContext completion, CliContext context,
        Func<Control.ControlClient, CallOptions, AsyncUnaryCall<T>> call, Func<T, IEnumerable<string>> names)
    {
        // Help asks for completions, too, to show what values there are; it must not need a switch.
        if (completion == CompletionContext.Empty)
            return [];
        try
        {
            using SwitchClient client = GlobalOptions.Connect(completion.ParseResult, context);
            // The library's completions are synchronous; this process has nothing else to do.
            T answer = client.CallAsync(call, context.QuickDeadline, CancellationToken.None).GetAwaiter().GetResult();
            return names(answer).ToArray();
        }
        catch (Exception e) when (e is CliException or InvalidOperationException)
        {
            return []; // a message would land in the middle of the line that somebody is writing
        }
    }
}
