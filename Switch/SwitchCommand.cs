using System.CommandLine;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch;

/// <summary>The command line of the daemon.</summary>
internal static class SwitchCommand
{
    public static RootCommand Build()
    {
        var control = new Option<string[]>("--control")
        {
            HelpName = "unix:PATH|https://HOST:PORT",
            Description = "Where the control plane listens; may be given twice. TCP is for clients with certificates: see --tls-cert. "
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
        var topology = new Option<string?>("--topology")
        {
            HelpName = "FILE",
            Description = "Ports and links that there are to be, as 'interguest apply FILE' takes them: applied at the start, on top "
                + "of what was stored. What the file does not have stays",
        };
        var loops = new Option<int?>("--loops")
        {
            HelpName = "N",
            Description = "Threads that move frames. Default: one for each CPU of --cpus, or else for each that the switch may use",
        };
        loops.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int?>() is < 1 or > 256)
                r.AddError("--loops: between 1 and 256");
        });
        var cpus = new Option<string?>("--cpus")
        {
            HelpName = "LIST",
            Description = "The CPUs that those threads run on, each on one of them in turn: 2,3 or 4-7. Default: wherever the kernel puts them",
        };
        var busyPoll = new Option<int>("--busy-poll")
        {
            HelpName = "MICROSECONDS",
            Description = "How soon, on average, there must be more to move for a thread to look for it instead of sleeping; it looks "
                + "for at most four times as long. More: lower latency; 0: none of the CPU is spent on it",
            DefaultValueFactory = _ => (int)Defaults.BusyPoll.TotalMicroseconds,
        };
        busyPoll.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 0 or > 1_000_000)
                r.AddError("--busy-poll: between 0 and 1000000 (a second)");
        });
        var metrics = new Option<string?>("--metrics")
        {
            HelpName = "PORT|http://HOST:PORT",
            Description = "Where /metrics can be read in Prometheus' text format; with a port alone, by this host only. Default: nowhere",
        };
        var web = new Option<string?>("--web")
        {
            HelpName = "PORT|http://HOST:PORT",
            Description = "Where a page shows the switch at work; with a port alone, to this host only. It can change nothing. Default: nowhere",
        };
        var otlp = new Option<string?>("--otlp")
        {
            HelpName = "URL",
            Description = "The OpenTelemetry collector that metrics are sent to: http://HOST:4317 (gRPC) or http://HOST:4318/v1/metrics (HTTP). Default: none",
        };
        var bit = new Option<int>("--multi-round-bit")
        {
            HelpName = "N",
            Description = "The feature bit that means VIRTIO_F_MULTI_ROUND, as the guests that negotiate in rounds have it (docs/multi-round.md)",
            DefaultValueFactory = _ => FeatureRounds.DefaultBit,
        };
        bit.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 42 or > 49)
                r.AddError("--multi-round-bit: between 42 and 49, the bits that VIRTIO reserves for such extensions");
        });
        var command = new RootCommand(
            "The InterGuest switch: joins the virtio devices of guests on this host.\n"
            + "Runs until it is told to end (Ctrl-C, SIGTERM). 'interguest' is the command to talk to it.") { control, sockets, state, topology, loops, cpus, busyPoll, bit, metrics, web, otlp };
        var keep = new Option<bool>("--fd-store")
        {
            Description = "Have systemd keep the ports' listening sockets (FileDescriptorStoreMax=) while the switch is restarted: "
                + "who connects meanwhile waits",
        };
        command.Add(keep);
        var guard = new GuardOptions();
        guard.AddTo(command);
        command.SetAction((parsed, cancel) => Run(
            () => guard.Apply(parsed, SwitchOptionsParser.Parse(
                parsed.GetValue(control) ?? [], parsed.GetValue(sockets)!, parsed.GetValue(state)!, parsed.GetValue(loops), parsed.GetValue(cpus)) with
            {
                BusyPoll = TimeSpan.FromMicroseconds(parsed.GetValue(busyPoll)),
                WarmsUp = true,
                RoundsBit = 1UL << parsed.GetValue(bit),
                Metrics = SwitchOptionsParser.HttpAddress("--metrics", parsed.GetValue(metrics)),
                Web = SwitchOptionsParser.HttpAddress("--web", parsed.GetValue(web)),
                Otlp = SwitchOptionsParser.Collector("--otlp", parsed.GetValue(otlp)),
                TopologyFile = parsed.GetValue(topology) is { } file ? Path.GetFullPath(file) : null,
                KeepSockets = parsed.GetValue(keep),
            }),
            cancel));
        return command;
    }

    private static async Task<int> Run(Func<SwitchOptions> options, CancellationToken cancel)
    {
        try
        {
            await SwitchApplication.RunAsync(options(), cancel);
            return 0;
        }
        catch (SwitchException e)
        {
            await Console.Error.WriteLineAsync($"interguest-switch: {e.Message}");
            return e.Kind == SwitchError.Invalid ? 2 : 1;
        }
    }
}
