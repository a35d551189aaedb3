namespace InterGuest.Switch.Ports;

/// <summary>What a port's owner asked for.</summary>
/// <param name="Mode">Who opens the socket.</param>
/// <param name="SocketPath">Where; absolute.</param>
/// <param name="QueuePairs">Pairs of virtqueues, of a block device queues: 1 to <see cref="MaxQueuePairs"/>.</param>
/// <param name="Type">Of the device.</param>
public sealed record PortSpec(SocketMode Mode, string SocketPath, int QueuePairs, PortType Type = PortType.Net)
{
    /// <summary>Ring indices in vhost-user messages have 8 bits.</summary>
    public const int MaxQueuePairs = 128;

    /// <summary>How much its guest may move.</summary>
    public PortLimits Limits { get; init; } = PortLimits.None;

    /// <summary>Whether its guest sees a carrier only while the link is up and there is a VMM at the other end.</summary>
    public bool FollowsPeer { get; init; }

    /// <summary>Who may open the socket, if it is we who make it.</summary>
    public SocketAccess Access { get; init; } = SocketAccess.Default;
}
