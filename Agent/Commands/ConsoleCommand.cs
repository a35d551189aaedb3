using System.CommandLine;
using System.Threading.Channels;
using InterGuest.Agent.Guests;
using InterGuest.Agent.Net;
using InterGuest.Agent.Streams;
using InterGuest.Virtio.Native;

namespace InterGuest.Agent.Commands;

/// <summary>`interguest-agent console`.</summary>
internal static class ConsoleCommand
{
    private const byte End = 0x1d; // Ctrl-]
    private const int MostWaiting = 64;

    private static readonly GuestOptions Guest = new();

    public static Command Create(AgentContext context)
    {
        var command = new Command("console",
            "A terminal at a console port: what is typed goes to the other end of the link, and what comes from there is shown.\n\n"
            + "  interguest-agent console --port /run/interguest/ports/tty.sock\n"
            + "  interguest-agent console --port tty.sock </dev/null >boot.log    # only listen\n\n"
            + "At a terminal Ctrl-] ends it, and Ctrl-C goes to the other end.");
        Guest.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(context, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(AgentContext context, ParseResult parsed, CancellationToken cancel)
    {
        using var guest = Guest.Make(parsed, NetMemory.Bytes(ConsoleRole.BufferBytes, ConsoleRole.QueueSize));
        using var terminal = RawTerminal.TryEnter();
        if (terminal != null)
            context.Log.Say("Ctrl-] ends\r");
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var loop = new RoleLoop(guest, context.Log);
        // Bounded: an input that is faster than the other end waits.
        var input = Channel.CreateBounded<byte[]>(MostWaiting);
        _ = Task.Run(() => ReadAsync(context.Input(), input.Writer, terminal != null, loop, end), CancellationToken.None);
        await loop.RunAsync(new ConsoleRole(input.Reader, context.Output()), end.Token);
        return ExitCodes.Success;
    }

    /// <summary>Reads the input until it ends; that ends nothing else. A read of a terminal cannot be cancelled: it is left behind.</summary>
    private static async Task ReadAsync(Stream input, ChannelWriter<byte[]> to, bool isTerminal, RoleLoop loop, CancellationTokenSource end)
    {
        byte[] buffer = new byte[ConsoleRole.BufferBytes];
        try
        {
            for (int bytes; (bytes = await input.ReadAsync(buffer, end.Token)) > 0;)
            {
                int ending = isTerminal ? Array.IndexOf(buffer, End, 0, bytes) : -1;
                if (ending != 0)
                    await to.WriteAsync(buffer[..(ending < 0 ? bytes : ending)], end.Token);
                loop.Wake();
                if (ending >= 0)
                    await end.CancelAsync();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The command has ended, or its input has.
        }
    }
}
