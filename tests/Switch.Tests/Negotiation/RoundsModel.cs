using InterGuest.Switch.Negotiation;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Tests.Negotiation;

/// <summary>One end: what its port could offer, what its driver can do, and what it knows of rounds.</summary>
/// <param name="Everything">That the port could offer.</param>
/// <param name="Supported">By the driver.</param>
/// <param name="FrontEndKnows">Whether the front-end reads offers again.</param>
/// <param name="DriverBit">The bit that the driver takes for VIRTIO_F_MULTI_ROUND; 0: none.</param>
internal sealed record Peer(ulong Everything, ulong Supported, bool FrontEndKnows, ulong DriverBit)
{
    public bool TakesRounds => FrontEndKnows && DriverBit == RoundsModel.Bit;
}

internal enum StepKind
{
    Connect,
    Disconnect,
    Read,
    Answer,
}

internal sealed record Step(int End, StepKind Kind);

/// <param name="First">One end.</param>
/// <param name="Second">The other.</param>
/// <param name="Steps">What happens first, in any order.</param>
/// <param name="Refusals">What drivers refuse in answer after answer, over what they cannot do.</param>
internal sealed record Scenario(Peer First, Peer Second, IReadOnlyList<Step> Steps, IReadOnlyList<ulong> Refusals);

/// <summary>Two ends and the rounds between them, without sockets. After every step it checks what must always be so.</summary>
internal sealed class RoundsModel(Scenario scenario)
{
    public const ulong Bit = 1UL << FeatureRounds.DefaultBit;

    private readonly Peer[] _peers = [scenario.First, scenario.Second];
    private readonly RoundEnd[] _ends = [RoundEnd.Nobody, RoundEnd.Nobody];
    private readonly bool[] _connected = new bool[2];
    private readonly ulong?[] _read = new ulong?[2];
    private readonly RoundRules _rules = new(FeatureTable.Net, Bit, scenario.First.Everything, scenario.Second.Everything);
    private Rounds _rounds = Rounds.None;
    private long _arrivals;
    private int _answers;

    public RoundsPhase Phase => _rounds.Phase(_rules, _ends[0], _ends[1], translate: true);

    public ulong Accepted(int end) => _ends[end].Taken!.Value;

    public void Play()
    {
        foreach (var step in scenario.Steps)
            Do(step.End, step.Kind);
    }

    /// <summary>Each end does what it is to do, until neither has anything to do.</summary>
    /// <remarks>At the worst each reads and answers every round.</remarks>
    public void RunToTheEnd()
    {
        for (int turn = 0; turn < 4 * RoundRules.MaxRounds + 8; turn++)
            for (int end = 0; end < 2; end++)
                Do(end, !_connected[end] ? StepKind.Connect
                    : _read[end] == null || MustLookAgain(end) ? StepKind.Read
                    : StepKind.Answer);
        for (int end = 0; end < 2; end++)
            Assert.False(MustLookAgain(end), "an offer was not read");
    }

    private bool MustLookAgain(int end) => _ends[end].Kind == RoundKind.Rounds && _rounds.OfferTo(end) is { } offer && _ends[end].Read != offer;

    private void Do(int end, StepKind kind)
    {
        if (kind == StepKind.Connect != !_connected[end])
            return;
        switch (kind)
        {
            case StepKind.Connect:
                _connected[end] = true;
                _arrivals++;
                _ends[end] = _peers[end].FrontEndKnows ? _ends[end].Arrive(_arrivals) : RoundEnd.Nobody with { Arrival = _arrivals };
                break;
            case StepKind.Disconnect:
                _connected[end] = false;
                (_ends[end], _read[end]) = (_ends[end].Leave(), null);
                break;
            case StepKind.Read:
                Read(end);
                break;
            case StepKind.Answer when _read[end] is { } offer && _ends[end].Taken == null:
                Answer(end, offer);
                break;
        }
        _rounds = _rounds.Advance(_rules, _ends[0], _ends[1]);
        CheckInvariants();
    }

    private void Read(int end)
    {
        if (_ends[end].Kind == RoundKind.Plain)
            return; // a driver without rounds reads once
        ulong offer = _ends[end].Kind == RoundKind.Rounds ? _rounds.OfferTo(end) ?? _rules.Probe(end) : _rules.Everything(end);
        Assert.Equal(0UL, offer & ~_rules.Everything(end) & ~Bit);
        Assert.Equal(offer & ~Bit, _rules.Table.Whole(offer & ~Bit));
        _read[end] = offer;
        if (_ends[end].Kind == RoundKind.Rounds)
            _ends[end] = _ends[end].Reads(offer);
    }

    private void Answer(int end, ulong offer)
    {
        var peer = _peers[end];
        ulong refused = scenario.Refusals.Count > 0 ? scenario.Refusals[_answers++ % scenario.Refusals.Count] : 0;
        ulong taken = _rules.Table.Whole(offer & peer.Supported & ~refused) | (offer & peer.DriverBit);
        _ends[end] = _ends[end].Kind == RoundKind.Rounds ? _ends[end].Takes(taken, Bit) : _ends[end].Accepts(_ends[end].Arrival, offer, taken);
    }

    private void CheckInvariants()
    {
        Assert.True(_rounds.History.Length <= RoundRules.MaxRounds, "more rounds than there may be");
        Assert.Equal(Enumerable.Range(1, _rounds.History.Length), _rounds.History.Select(r => r.Number));
        if (Phase is not (RoundsPhase.Agreed or RoundsPhase.Translated))
            return;
        // Data may flow: both have said their last word, no offer waits to be read, and nobody expects another.
        for (int end = 0; end < 2; end++)
        {
            Assert.True(_connected[end] && _ends[end].Taken != null);
            Assert.False(MustLookAgain(end));
            Assert.Equal(0UL, _ends[end].Taken!.Value & Bit);
        }
        Assert.Equal(Phase == RoundsPhase.Agreed, _rules.Table.Fits(Accepted(0), Accepted(1)));
        Assert.True(Phase == RoundsPhase.Agreed || _ends.Any(e => e.Kind == RoundKind.Plain));
    }
}
