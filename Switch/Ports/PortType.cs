namespace InterGuest.Switch.Ports;

/// <summary>What device a port shows its guest, and so what it can be linked with.</summary>
public enum PortType
{
    /// <summary>A network device.</summary>
    Net,

    /// <summary>A block device: a guest that uses a disk.</summary>
    Block,

    /// <summary>The device of a guest that serves a disk (docs/block-serving.md).</summary>
    BlockServer,

    /// <summary>A console device.</summary>
    Console,

    /// <summary>An entropy device: a guest that wants randomness.</summary>
    Entropy,

    /// <summary>The device of a guest that gives randomness.</summary>
    EntropySource,
}

/// <summary>Which types of ports can be linked.</summary>
internal static class PortTypes
{
    /// <summary>As people write it, and the control plane: block-server.</summary>
    public static string Word(this PortType type) => type switch
    {
        PortType.BlockServer => "block-server",
        PortType.EntropySource => "entropy-source",
        _ => type.ToString().ToLowerInvariant(),
    };

    /// <summary>The type at the other end of a link.</summary>
    public static PortType Peer(this PortType type) => type switch
    {
        PortType.Block => PortType.BlockServer,
        PortType.BlockServer => PortType.Block,
        PortType.Entropy => PortType.EntropySource,
        PortType.EntropySource => PortType.Entropy,
        _ => type,
    };

    /// <summary>Whether a port of this type may have several links: one server, several clients.</summary>
    public static bool TakesManyLinks(this PortType type) => type == PortType.BlockServer;
}
