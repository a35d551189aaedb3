using InterGuest.Switch.Ports;

namespace InterGuest.Switch;

/// <summary>How the daemon was told to run.</summary>
public sealed record SwitchOptions
{
    /// <summary>The Unix socket of the control plane; null: none.</summary>
    public string? ControlSocket { get; init; }

    /// <summary>Where the control plane listens on TCP, with TLS (https) or without (http); null: nowhere.</summary>
    public Uri? ControlTcp { get; init; }

    /// <summary>For TLS.</summary>
    public TlsFiles? Tls { get; init; }

    /// <summary>Who may do everything, as <see cref="Control.Access"/> has it.</summary>
    public IReadOnlyList<string> Operators { get; init; } = [];

    /// <summary>Who may look.</summary>
    public IReadOnlyList<string> Readers { get; init; } = [];

    /// <summary>Owner, group and mode of the control socket.</summary>
    public SocketAccess ControlAccess { get; init; } = SocketAccess.Default;

    /// <summary>Where ports' sockets go that are not given a path.</summary>
    public required string SocketDirectory { get; init; }

    /// <summary>Where ports and links are stored.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Where metrics can be read as Prometheus does; null: nowhere.</summary>
    public Uri? Metrics { get; init; }

    /// <summary>Where the switch's page can be read; null: nowhere.</summary>
    public Uri? Web { get; init; }

    /// <summary>The OpenTelemetry collector that metrics are sent to; null: none.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>A topology to apply at the start; null: none.</summary>
    public string? TopologyFile { get; init; }

    /// <summary>Whether the service manager is to keep listening sockets across restarts.</summary>
    public bool KeepSockets { get; init; }

    /// <summary>VIRTIO_F_MULTI_ROUND, as a mask.</summary>
    public ulong RoundsBit { get; init; } = 1UL << Virtio.VhostUser.FeatureRounds.DefaultBit;

    /// <summary>Threads that move frames.</summary>
    public int EventLoops { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>The CPUs that those threads run on, in turn; none: any that the process may use.</summary>
    public IReadOnlyList<int> Cpus { get; init; } = [];

    /// <summary>How soon, on average, there must be more for a thread that moves frames to look for it instead of sleeping.</summary>
    public TimeSpan BusyPoll { get; init; } = Defaults.BusyPoll;

    /// <summary>Whether to have the data path compiled for speed before guests need it.</summary>
    public bool WarmsUp { get; init; }
}

/// <summary>PEM files for TLS on the control plane.</summary>
/// <param name="Certificate">Ours.</param>
/// <param name="Key">Its private key.</param>
/// <param name="ClientAuthorities">The authorities whose certificates clients must have.</param>
public sealed record TlsFiles(string Certificate, string Key, string ClientAuthorities);
