using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.VhostUser;

/// <summary>
/// Multi-round feature negotiation (docs/multi-round.md): its numbers, and the driver's side of it over a <see cref="FrontEnd"/>. The
/// caller waits: for <see cref="Requests"/> to be readable, then asks <see cref="TryLookAgain"/>, then answers anew.
/// </summary>
public sealed class FeatureRounds : IDisposable
{
    /// <summary>VIRTIO_F_MULTI_ROUND if nobody says another.</summary>
    public const int DefaultBit = 49;

    /// <summary>VHOST_USER_PROTOCOL_F_MULTI_ROUND, as a mask.</summary>
    public const ulong ProtocolFeature = 1UL << 60;

    /// <summary>The protocol features that it requires.</summary>
    public const ulong Requires = ProtocolFeatures.BackendRequests | ProtocolFeatures.Status;

    // ACKNOWLEDGE, DRIVER, FEATURES_OK (VIRTIO 1.2, 2.1); DRIVER_OK is the caller's to say.
    private const ulong FeaturesOk = 0x0b;

    private readonly FrontEnd _frontEnd;
    private readonly ulong _bit;
    private readonly MessageChannel _requests;

    private FeatureRounds(FrontEnd frontEnd, int bit, MessageChannel requests) => (_frontEnd, _bit, _requests) = (frontEnd, 1UL << bit, requests);

    /// <summary>Where the back-end asks. Owned by this object.</summary>
    public FileDescriptor Requests => _requests.Socket;

    /// <summary>The last offer.</summary>
    public ulong Offer { get; private set; }

    /// <summary>Whether the protocol features that were agreed on are enough for rounds.</summary>
    public static bool Has(ulong protocol) => (protocol & (ProtocolFeature | Requires)) == (ProtocolFeature | Requires);

    /// <summary>Gives the back-end a socket to ask on. After protocol features that have rounds were set.</summary>
    /// <param name="frontEnd">Not owned.</param>
    /// <param name="bit">The number of VIRTIO_F_MULTI_ROUND, as the back-end has it.</param>
    /// <exception cref="IOException">The back-end refused, or is gone.</exception>
    public static FeatureRounds Begin(FrontEnd frontEnd, int bit)
    {
        var (ours, theirs) = UnixSocket.Pair();
        using (theirs)
        {
            var rounds = new FeatureRounds(frontEnd, bit, new MessageChannel(ours));
            frontEnd.Do(RequestCode.SetBackendRequestFd, [], theirs);
            return rounds;
        }
    }

    /// <summary>Reads the present offer and answers it; sets FEATURES_OK.</summary>
    /// <param name="take">What the driver takes of an offer; it is not shown the bit.</param>
    /// <returns>What was accepted, if the offer was the last; null: wait until the back-end asks to look again.</returns>
    /// <exception cref="IOException">The back-end refused, or is gone.</exception>
    public ulong? Answer(Func<ulong, ulong> take)
    {
        Offer = _frontEnd.Get(RequestCode.GetFeatures);
        ulong more = Offer & _bit;
        ulong taken = take(Offer & ~_bit) & Offer;
        _frontEnd.Set(RequestCode.SetFeatures, taken | more);
        _frontEnd.Set(RequestCode.SetStatus, FeaturesOk);
        return more == 0 ? taken : null;
    }

    /// <summary>Whether the back-end asked to look again. The driver then resets the device: its rings stop, and its status is 0.</summary>
    /// <exception cref="IOException">The back-end closed the socket, or sends what is no request.</exception>
    public bool TryLookAgain()
    {
        bool again = false;
        while (true)
        {
            switch (_requests.TryReceive())
            {
                case ReceiveResult.Message:
                    again |= _requests.Request == BackEndRequests.ConfigChange;
                    Acknowledge();
                    break;
                case ReceiveResult.Incomplete:
                    return again;
                default:
                    throw new IOException("The back-end closed the socket that it asks on.");
            }
        }
    }

    /// <summary>Resets the device: status 0. Rings are the caller's to stop before.</summary>
    /// <exception cref="IOException">The back-end is gone.</exception>
    public void Reset() => _frontEnd.Set(RequestCode.SetStatus, 0);

    /// <inheritdoc/>
    public void Dispose() => _requests.Dispose();

    private void Acknowledge()
    {
        if (_requests.NeedsReply)
            _requests.TrySend(_requests.Request, new byte[sizeof(ulong)], reply: true);
    }
}
