using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Testing;

/// <summary>A guest that negotiates in rounds (docs/multi-round.md), driven by a test: on its own connection, without rings.</summary>
public sealed class RoundsGuest : IDisposable
{
    private readonly FrontEnd _frontEnd;
    private readonly FeatureRounds _rounds;
    private readonly Poller _poller = new();
    private readonly ulong _supported;

    /// <summary>Connects and enters the rounds.</summary>
    /// <param name="socket">Of the port.</param>
    /// <param name="supported">What its driver can do.</param>
    /// <param name="bit">The number of the bit that it takes for VIRTIO_F_MULTI_ROUND.</param>
    public RoundsGuest(string socket, ulong supported, int bit = FeatureRounds.DefaultBit)
    {
        _supported = supported | Virtio.Devices.Features.VhostUserProtocolFeatures;
        _frontEnd = FrontEnd.Connect(socket, TestGuest.Patience);
        FirstOffer = _frontEnd.Get(RequestCode.GetFeatures);
        _frontEnd.Set(RequestCode.SetProtocolFeatures, _frontEnd.Get(RequestCode.GetProtocolFeatures)
            & (FeatureRounds.ProtocolFeature | FeatureRounds.Requires | ProtocolFeatures.ReplyAck | ProtocolFeatures.Multiqueue | ProtocolFeatures.ConfigureMemorySlots));
        _rounds = FeatureRounds.Begin(_frontEnd, bit);
        _poller.Add(_rounds.Requests, PollInterest.Readable, 0);
    }

    /// <summary>Its VMM's side of the socket.</summary>
    public FrontEnd FrontEnd => _frontEnd;

    /// <summary>What it read before it entered the rounds.</summary>
    public ulong FirstOffer { get; }

    /// <summary>The offers that it answered.</summary>
    public List<ulong> Offers { get; } = [];

    /// <summary>What it accepted in the last round; null: it waits for another.</summary>
    public ulong? Accepted { get; private set; }

    /// <summary>As <see cref="Accepted"/>, without what is vhost-user's own.</summary>
    public ulong Features => (Accepted ?? throw new InvalidOperationException("It has not accepted a last offer.")) & ~Virtio.Devices.Features.VhostUserProtocolFeatures;

    /// <summary>Reads the present offer, and answers it.</summary>
    /// <param name="refuse">What it refuses this time, over what it cannot do.</param>
    public void Answer(ulong refuse = 0)
    {
        Accepted = _rounds.Answer(offer => offer & _supported & ~refuse);
        Offers.Add(_rounds.Offer);
    }

    /// <summary>Whether it was asked to look again, within the time.</summary>
    public bool IsAskedToLookAgain(TimeSpan time)
    {
        long until = Environment.TickCount64 + (long)time.TotalMilliseconds;
        Span<PollEvent> events = stackalloc PollEvent[1];
        while (!_rounds.TryLookAgain())
        {
            int left = (int)(until - Environment.TickCount64);
            if (left <= 0 || _poller.Wait(events, left) == 0)
                return false;
        }
        return true;
    }

    /// <summary>Resets its device and answers anew, when it is asked to.</summary>
    /// <exception cref="TimeoutException">It was not asked.</exception>
    public void LookAgain(ulong refuse = 0)
    {
        if (!IsAskedToLookAgain(TestGuest.Patience))
            throw new TimeoutException("nobody asked to look again");
        AnswerAnew(refuse);
    }

    /// <summary>Resets its device and answers anew.</summary>
    public void AnswerAnew(ulong refuse = 0)
    {
        _rounds.Reset();
        Answer(refuse);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _poller.Dispose();
        _rounds.Dispose();
        _frontEnd.Dispose();
    }
}
