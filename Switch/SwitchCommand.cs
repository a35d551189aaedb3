using System.CommandLine;

namespace InterGuest.Switch;

/// <summary>The command line of the daemon.</summary>
internal static class SwitchCommand
{
    public static RootCommand Build()
    {
        var control = new Option<string[]>("--control")
        {
            HelpName = "unix:PATH|http://HOST:PORT",
            Description = "Where the control plane listens; may be given twice. TCP has no protection of its own: use a loopback address. "
                + $"Default: unix:{Defaults.ControlSocket}",
        };
        var sockets = new Option<string>("--socket-dir")
        {
            HelpName = "DIR",
            Description = "Where the sockets of ports go that are not given a path",
            DefaultValueFactory = _ => Defaults.SocketDirectory,
        };
        var state = new Option<string>("--state-dir")
        {
            HelpName = "DIR",
            Description = "Where ports and links are stored, to be there again after a restart",
            DefaultValueFactory = _ => Defaults.StateDirectory,
        };
        var loops = new Option<int>("--loops")
        {
            HelpName = "N",
            Description = "Threads that move frames",
            DefaultValueFactory = _ => Math.Max(1, Environment.ProcessorCount),
        };
        loops.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 1 or > 256)
                r.AddError("--loops: between 1 and 256");
        });
        var command = new RootCommand(
            "The InterGuest switch: joins the virtio devices of guests on this host.\n"
            + "Runs until it is told to end (Ctrl-C, SIGTERM). 'interguest' is the command to talk to it.") { control, sockets, state, loops };
        command.SetAction((parsed, cancel) => Run(
            parsed.GetValue(control) ?? [], parsed.GetValue(sockets)!, parsed.GetValue(state)!, parsed.GetValue(loops), cancel));
        return command;
    }

    private static async Task<int> Run(string[] control, string sockets, string state, int loops, CancellationToken cancel)
    {
        try
        {
            var options = SwitchOptionsParser.Parse(control, sockets, state, loops);
            await SwitchApplication.RunAsync(options, cancel);
            return 0;
        }
        catch (SwitchException e)
        {
            await Console.Error.WriteLineAsync($"interguest-switch: {e.Message}");
            return e.Kind == SwitchError.Invalid ? 2 : 1;
        }
    }
}
