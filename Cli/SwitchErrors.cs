using System.Net.Sockets;
using Grpc.Core;
using InterGuest.Cli.Output;

namespace InterGuest.Cli;

/// <summary>What a failed call means to the person who made it.</summary>
internal static class SwitchErrors
{
    public static CliException Of(
        RpcException error, SocketException? connectFailure, Endpoint endpoint, CliContext context, TimeSpan deadline)
    {
        string code = Words.StatusCode(error.StatusCode);
        if (error.StatusCode == StatusCode.DeadlineExceeded)
            return CliException.Refused(code,
                $"the switch at {endpoint} did not answer within {Units.Duration(deadline)}",
                "It is overloaded or stuck: see its log.", error);
        if (connectFailure is not null)
            return Unreachable(connectFailure, endpoint, context);
        if (error.StatusCode == StatusCode.Unimplemented)
            return CliException.Refused(code, $"the switch at {endpoint} does not know this command",
                "It is older than this interguest: compare 'interguest version'.", error);
        // The library sets DebugException on what it made up itself; what the switch said comes without.
        if (error.Status.DebugException is not null)
            return WentAway(endpoint, error);
        return CliException.Refused(code, Said(error), cause: error);
    }

    public static CliException WentAway(Endpoint endpoint, Exception? cause) =>
        CliException.Refused("UNAVAILABLE", $"the connection to the switch at {endpoint} broke",
            endpoint.SocketPath is null
                ? "The switch or the network went away, or something else answers there: see the switch's log."
                : "The switch stopped (see its log), or this is not its control socket.", cause);

    private static string Said(RpcException error) =>
        error.Status.Detail.Length > 0
            ? error.Status.Detail
            : $"the switch refused: {Words.StatusCode(error.StatusCode)}";

    private static CliException Unreachable(SocketException failure, Endpoint endpoint, CliContext context)
    {
        (string what, string remedy) = endpoint.SocketPath is { } path
            ? OfSocket(failure, path, context)
            : (failure.Message, "Check the address, and that the switch is told to listen on TCP.");
        return CliException.Refused("UNAVAILABLE", $"cannot reach the switch at {endpoint}: {what}", remedy, failure);
    }

    private static (string What, string Remedy) OfSocket(SocketException failure, string path, CliContext context) =>
        failure.SocketErrorCode switch
        {
            SocketError.AccessDenied => ("permission denied",
                $"{Me(context)} may not write to this socket, or not enter its directory: run as the switch's user "
                + "or join its group."),
            SocketError.ConnectionRefused => ("nobody listens on this socket",
                $"The switch ended without removing it. {Start}"),
            // ENOENT has no code of its own.
            _ when !File.Exists(path) => ("there is no such socket", OfMissing(path, context)),
            _ => (failure.Message, "Is it the switch's control socket? See the switch's log."),
        };

    private static string OfMissing(string path, CliContext context) =>
        path != Endpoint.RootSocket && !context.IsRoot && File.Exists(Endpoint.RootSocket)
            ? $"A switch of the system is there: --endpoint unix:{Endpoint.RootSocket}"
            : $"{Start} If it runs elsewhere, name it with --endpoint or {Endpoint.Variable}.";

    private static string Me(CliContext context) =>
        context.UserName.Length > 0 ? $"User {context.UserName}" : "This user";

    private const string Start = "Start the switch: run 'interguest-switch'.";
}
