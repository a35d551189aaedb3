namespace InterGuest.Switch;

/// <summary>How the daemon was told to run.</summary>
public sealed record SwitchOptions
{
    /// <summary>The Unix socket of the control plane; null: none.</summary>
    public string? ControlSocket { get; init; }

    /// <summary>Where the control plane listens on TCP; null: nowhere.</summary>
    public Uri? ControlTcp { get; init; }

    /// <summary>Where ports' sockets go that are not given a path.</summary>
    public required string SocketDirectory { get; init; }

    /// <summary>Where ports and links are stored.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Where metrics can be read as Prometheus does; null: nowhere.</summary>
    public Uri? Metrics { get; init; }

    /// <summary>The OpenTelemetry collector that metrics are sent to; null: none.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>Threads that move frames.</summary>
    public int EventLoops { get; init; } = Math.Max(1, Environment.ProcessorCount);
}
