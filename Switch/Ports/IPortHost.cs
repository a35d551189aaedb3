namespace InterGuest.Switch.Ports;

/// <summary>What a port needs of the switch around it. All on the control thread.</summary>
public interface IPortHost
{
    /// <summary>Takes the port's rings out of the data path; after the return nobody touches them.</summary>
    void Pause(Port port);

    /// <summary>Puts the rings that run back into the data path.</summary>
    void Resume(Port port);

    /// <summary>Does something in the thread that has the port's rings.</summary>
    void InLoop(Port port, Action action);

    /// <summary>Gives the guest at the other end of the port's link a frame, as if this port's guest had sent it; best effort.</summary>
    void Announce(Port port, byte[] frame);

    /// <summary>What to offer to the port's guest now, by its link. Without what was offered before, which is the port's to keep.</summary>
    ulong Offer(Port port);

    /// <summary>VIRTIO_F_MULTI_ROUND, as a mask.</summary>
    ulong RoundsBit { get; }

    /// <summary>Something about the port that its owner should hear of, though its state is what it was.</summary>
    void Notice(Port port, string what);

    /// <summary>The port is not as it was: its state or its features.</summary>
    void Changed(Port port);

    /// <summary>Requests of this client were given up: the server must not do them any more.</summary>
    void Abandon(Port client);

    /// <summary>The port has offered more than before, which is to be remembered.</summary>
    void OfferGrew(Port port);

    /// <summary>Where listening sockets come from and go to at the ends of the process's life.</summary>
    SocketKeeper Sockets { get; }
}
