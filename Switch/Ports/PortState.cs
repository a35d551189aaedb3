namespace InterGuest.Switch.Ports;

/// <summary>Who opens the socket.</summary>
public enum SocketMode
{
    /// <summary>We do, and the front-end connects.</summary>
    Listen,

    /// <summary>The front-end does, and we connect.</summary>
    Connect,
}

/// <summary>Where a port is in its life.</summary>
public enum PortState
{
    /// <summary>The socket is not open yet: no server has announced the disk that a front-end would ask for.</summary>
    Waiting,

    /// <summary>The socket is open, no front-end is connected.</summary>
    Listening,

    /// <summary>The front-end's socket does not answer yet.</summary>
    Connecting,

    /// <summary>A front-end is there; its guest has no driver for the device yet.</summary>
    Connected,

    /// <summary>The front-end sets features, memory and rings.</summary>
    Negotiating,

    /// <summary>At least one pair of rings runs.</summary>
    Running,

    /// <summary>The guest stopped its driver.</summary>
    Stopped,

    /// <summary>The guest or its front-end broke the rules.</summary>
    Faulted,
}
