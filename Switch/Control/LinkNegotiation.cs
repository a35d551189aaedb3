using InterGuest.Switch.Negotiation;
using InterGuest.Switch.Ports;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Control;

/// <summary>
/// How the two ports of a link come to features that fit: carries what the ports' front-ends read and said to the
/// <see cref="Rounds"/>, and asks front-ends to look again. On the control thread.
/// </summary>
public sealed class LinkNegotiation
{
    private readonly ulong?[] _told = new ulong?[2];

    internal LinkNegotiation(IReadOnlyList<Port> ports, LinkPolicy policy, ulong bit)
    {
        (Ports, Policy) = (ports, policy);
        Rules = new RoundRules(FeatureTable.Net, bit, Everything(ports[0]), Everything(ports[1]));
    }

    /// <summary>The link's ports.</summary>
    public IReadOnlyList<Port> Ports { get; }

    /// <summary>What the link's owner wants.</summary>
    public LinkPolicy Policy { get; }

    /// <summary>By what rules.</summary>
    public RoundRules Rules { get; }

    /// <summary>The rounds so far.</summary>
    public Rounds Rounds { get; private set; } = Rounds.None;

    /// <summary>Where it is.</summary>
    public RoundsPhase Phase { get; private set; }

    /// <summary>Whether data may flow.</summary>
    public bool MayCarry => Phase is RoundsPhase.None or RoundsPhase.Agreed or RoundsPhase.Translated;

    /// <summary>Whether there is nothing left to negotiate but the answers to the last offers.</summary>
    internal bool IsInLastRound => Phase != RoundsPhase.Waiting && Rounds.History is [.., { IsFinal: true }];

    private bool HasRounds => Ports[0].Spec.Type == PortType.Net && Policy is not (LinkPolicy.Translate or LinkPolicy.Minimal);

    /// <summary>What a port's guest is offered that is in the rounds.</summary>
    internal ulong OfferInRounds(Port port)
    {
        int end = EndOf(port);
        return !HasRounds ? OfferOutside(port) : Rounds.OfferTo(end) ?? Rules.Probe(end);
    }

    /// <summary>What a port's guest is offered that is outside of the rounds.</summary>
    internal ulong OfferOutside(Port port)
    {
        if (port.Spec.Type == PortType.Net && Policy is (LinkPolicy.Minimal or LinkPolicy.MultiRound))
            return RoundRules.Minimal(Rules.Table, Rules.Everything(EndOf(port)));
        // An end in the rounds will take what fits this one; what it has taken so far says nothing.
        var peer = Ports[1 - EndOf(port)];
        return port.Model.Offer(peer.Round.Kind == RoundKind.Plain ? peer.Accepted : null, 0);
    }

    /// <summary>What a port offers that has no link.</summary>
    internal static ulong OfferUnlinked(Port port, ulong bit) => port.Round.Kind == RoundKind.Rounds
        ? RoundRules.Minimal(FeatureTable.Net, Everything(port)) | bit
        : Everything(port);

    /// <summary>Goes on as far as the ports' answers allow, and asks front-ends to look again where it must.</summary>
    /// <returns>Whether something is not as it was.</returns>
    internal bool Update()
    {
        if (!HasRounds)
            return false; // front-ends that know rounds answer once, as any other
        RoundEnd first = Ports[0].Round, second = Ports[1].Round;
        var (before, phase) = (Rounds, Phase);
        Rounds = Rounds.Advance(Rules, first, second);
        Phase = Rounds.Phase(Rules, first, second, translate: Policy != LinkPolicy.MultiRound);
        for (int end = 0; end < 2; end++)
            TellToLookAgain(end);
        return phase != Phase || before.Attempt != Rounds.Attempt || !before.History.SequenceEqual(Rounds.History);
    }

    /// <summary>For whom it waits, and for what; empty: for nobody.</summary>
    internal string Awaited() => Phase switch
    {
        RoundsPhase.Waiting => $"round {Rounds.History.Length}, until both guests have said what they accept",
        RoundsPhase.Negotiating => $"round {Rounds.History.Length}, waits for " + string.Join(" and ", Ports.Where((_, end) => !HasAnswered(end)).Select(p => p.Name)),
        RoundsPhase.Failed => "what the guests accepted does not fit, and the policy of this link is not to translate: " + string.Join(", ", Misfits()),
        _ => "",
    };

    /// <summary>What was lost in a round, and why.</summary>
    internal IEnumerable<string> LostIn(int index) => Losses.In(Rules, Rounds, index, [.. Ports.Select(p => p.Name)]);

    private static ulong Everything(Port port) => port.Model.Offer(null, 0);

    private int EndOf(Port port) => port == Ports[0] ? 0 : 1;

    private bool HasAnswered(int end) =>
        Ports[end].Round.Kind == RoundKind.Plain || (Rounds.OfferTo(end) is { } offer && Ports[end].Round.AnswerTo(offer) != null);

    // A front-end that knows rounds is told once of each offer that is another than the one it read last.
    private void TellToLookAgain(int end)
    {
        var round = Ports[end].Round;
        if (round is not { Kind: RoundKind.Rounds, Read: { } read } || Rounds.OfferTo(end) is not { } offer || read == offer)
        {
            _told[end] = null;
            return;
        }
        if (_told[end] != null)
            return; // it has not looked yet, and will see this one
        _told[end] = offer;
        Ports[end].LookAgain();
    }

    private IEnumerable<string> Misfits() =>
        from end in Enumerable.Range(0, 2)
        let sends = Ports[end].Round.Taken ?? 0
        from name in Rules.Table.Names(Rules.Table.Unfit(sends, Ports[1 - end].Round.Taken ?? 0))
        select $"{Ports[end].Name} uses {name}";
}
