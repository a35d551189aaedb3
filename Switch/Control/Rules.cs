using InterGuest.Switch.Ports;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Control;

/// <summary>What is right or wrong about ports and links, whatever else there is.</summary>
internal static class Rules
{
    /// <summary>Checks what is right or wrong about a port whatever else there is.</summary>
    /// <exception cref="SwitchException">It can never be; the message begins with the field's name.</exception>
    public static void Check(string name, PortSpec spec)
    {
        Names.Check("name", name);
        if (spec.QueuePairs is < 1 or > PortSpec.MaxQueuePairs)
            throw new SwitchException(SwitchError.Invalid, $"queue_pairs: {spec.QueuePairs} is not between 1 and {PortSpec.MaxQueuePairs}");
        if (spec.QueuePairs > 1 && spec.Type is not (PortType.Net or PortType.Block))
            throw new SwitchException(SwitchError.Invalid, $"queue_pairs: a port of type {spec.Type.Word()} has 1, not {spec.QueuePairs}");
        if (spec.SocketPath != "")
            CheckPath(spec.SocketPath);
        spec.Access.Check();
        spec.Limits.Check(spec.Type);
        CheckCarrier(spec.FollowsPeer, spec.Type);
        if (spec.Mode == SocketMode.Connect && spec.Access != SocketAccess.Default)
            throw new SwitchException(SwitchError.Invalid, "socket_owner, socket_group and socket_mode: in mode connect the front-end makes the socket, and says whose it is");
    }

    /// <summary>Checks what is right or wrong about a link whatever else there is.</summary>
    /// <exception cref="SwitchException">It can never be; the message begins with the field's name.</exception>
    public static void Check(string name, IReadOnlyList<string> ports, TimeSpan? hold)
    {
        Names.Check("name", name);
        if (ports.Count != 2 || ports[0] == ports[1])
            throw new SwitchException(SwitchError.Invalid, "ports: a link joins two different ports");
        if (hold is { } time && (time < TimeSpan.Zero || time > Link.MaxHold))
            throw new SwitchException(SwitchError.Invalid, $"hold: {time} is not between 0 and {Link.MaxHold.TotalSeconds} seconds");
    }

    /// <summary>Checks that ports of two types can be linked.</summary>
    /// <exception cref="SwitchException">They cannot.</exception>
    public static void CheckTypes((string Name, PortType Type) first, (string Name, PortType Type) second)
    {
        if (first.Type.Peer() != second.Type)
            throw new SwitchException(
                SwitchError.Precondition,
                $"ports: {first.Name} is of type {first.Type.Word()} and {second.Name} of type {second.Type.Word()}; a link joins {first.Type.Word()} with {first.Type.Peer().Word()}");
    }

    /// <summary>Checks that a port of this type can have its carrier follow.</summary>
    /// <exception cref="SwitchException">It cannot be.</exception>
    public static void CheckCarrier(bool follows, PortType type)
    {
        if (follows && type != PortType.Net)
            throw new SwitchException(SwitchError.Invalid, $"carrier: a port of type {type.Word()} has none; only a network port's can follow the other end");
    }

    /// <summary>Checks the path of a QMP socket; empty: none.</summary>
    /// <exception cref="SwitchException">It cannot be.</exception>
    public static void CheckQmp(string socket)
    {
        if (socket != "" && (!Path.IsPathFullyQualified(socket) || !UnixSocket.Fits(socket) || socket.Contains('\0', StringComparison.Ordinal)))
            throw new SwitchException(SwitchError.Invalid, $"qmp_socket: {socket} is not the absolute path of a socket, of at most {UnixSocket.MaxPathBytes} bytes");
    }

    /// <summary>Checks the path of a port's socket.</summary>
    /// <exception cref="SwitchException">It cannot be.</exception>
    public static void CheckPath(string path)
    {
        if (!Path.IsPathFullyQualified(path))
            throw new SwitchException(SwitchError.Invalid, $"socket_path: {path} is not absolute");
        if (path.Contains('\0', StringComparison.Ordinal))
            throw new SwitchException(SwitchError.Invalid, "socket_path: a path has no zero byte");
        if (!UnixSocket.Fits(path))
            throw new SwitchException(
                SwitchError.Invalid, $"socket_path: {path} is longer than the {UnixSocket.MaxPathBytes} bytes that a socket's path may have. Choose a shorter one");
    }
}
