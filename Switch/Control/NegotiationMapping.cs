using Google.Protobuf.WellKnownTypes;
using InterGuest.Switch.Negotiation;
using InterGuest.Switch.Negotiation.Replug;
using InterGuest.Switch.Ports;
using V1 = InterGuest.Protos.V1;

namespace InterGuest.Switch.Control;

/// <summary>Negotiations and re-plugs as messages. On the control thread.</summary>
internal static class NegotiationMapping
{
    public static LinkPolicy ToPolicy(this V1.LinkPolicy policy) => policy switch
    {
        V1.LinkPolicy.Unspecified or V1.LinkPolicy.Auto => LinkPolicy.Auto,
        V1.LinkPolicy.Translate => LinkPolicy.Translate,
        V1.LinkPolicy.Replug => LinkPolicy.Replug,
        V1.LinkPolicy.Minimal => LinkPolicy.Minimal,
        V1.LinkPolicy.MultiRound => LinkPolicy.MultiRound,
        _ => throw new SwitchException(SwitchError.Invalid, $"policy: {(int)policy} is not a policy this switch knows; it knows auto, translate, replug, minimal and multi-round"),
    };

    public static V1.LinkPolicy ToProto(this LinkPolicy policy) => policy switch
    {
        LinkPolicy.Translate => V1.LinkPolicy.Translate,
        LinkPolicy.Replug => V1.LinkPolicy.Replug,
        LinkPolicy.Minimal => V1.LinkPolicy.Minimal,
        LinkPolicy.MultiRound => V1.LinkPolicy.MultiRound,
        _ => V1.LinkPolicy.Auto,
    };

    public static V1.Negotiation ToProto(this LinkNegotiation negotiation) => new()
    {
        State = negotiation.Phase switch
        {
            RoundsPhase.Waiting => V1.NegotiationState.Waiting,
            RoundsPhase.Negotiating => V1.NegotiationState.Negotiating,
            RoundsPhase.Agreed => V1.NegotiationState.Agreed,
            RoundsPhase.Translated => V1.NegotiationState.Translated,
            RoundsPhase.Failed => V1.NegotiationState.Failed,
            _ => V1.NegotiationState.None,
        },
        Awaited = negotiation.Awaited(),
        Rounds = { negotiation.Rounds.History.Select((round, index) => ToProto(negotiation, round, index)) },
    };

    public static V1.Replug? ToProto(this ReplugProgress? replug, Port port) => replug == null ? null : new V1.Replug
    {
        Port = port.Name,
        State = replug.State switch
        {
            ReplugState.Running => V1.ReplugState.Running,
            ReplugState.Done => V1.ReplugState.Done,
            _ => V1.ReplugState.Failed,
        },
        Text = replug.Text,
        Since = replug.Since.ToTimestamp(),
    };

    private static V1.NegotiationRound ToProto(LinkNegotiation negotiation, Round round, int index) => new()
    {
        Number = (uint)round.Number,
        Final = round.IsFinal,
        Sides = { Enumerable.Range(0, 2).Select(end => Side(negotiation, round, end)) },
        Lost = { negotiation.LostIn(index) },
    };

    private static V1.RoundSide Side(LinkNegotiation negotiation, Round round, int end) => new()
    {
        Port = negotiation.Ports[end].Name,
        InRounds = round.Offer(end) != null,
        Offered = { Names(negotiation, round.Offer(end) ?? negotiation.Ports[end].Offered) },
        Answered = round.Taken(end) != null,
        Taken = { Names(negotiation, round.Taken(end) ?? 0) },
    };

    // The bit is a matter of configuration, its name is not.
    private static IEnumerable<string> Names(LinkNegotiation negotiation, ulong features)
    {
        var rules = negotiation.Rules;
        var names = rules.Table.Names(features & ~rules.Bit);
        return (features & rules.Bit) != 0 ? names.Append("VIRTIO_F_MULTI_ROUND") : names;
    }
}
