using System.CommandLine;
using Google.Protobuf;
using InterGuest.Cli.Output;

namespace InterGuest.Cli.Commands;

/// <summary>Writes what the switch answered, for whoever asked.</summary>
internal static class Answer
{
    public static void Write<T>(CliContext context, ParseResult result, T message, Action<T> forPeople)
        where T : IMessage
    {
        if (GlobalOptions.IsJson(result))
            context.Out.WriteLine(JsonOutput.Message(message));
        else
            forPeople(message);
    }
}
