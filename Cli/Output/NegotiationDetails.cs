using InterGuest.Protos.V1;

namespace InterGuest.Cli.Output;

/// <summary>What `link show` says of features: the policy, the rounds, what was lost and why, and re-plugs.</summary>
internal static class NegotiationDetails
{
    /// <summary>The policies by the names that owners use.</summary>
    public static readonly IReadOnlyDictionary<string, LinkPolicy> Policies = new Dictionary<string, LinkPolicy>
    {
        ["auto"] = LinkPolicy.Auto,
        ["translate"] = LinkPolicy.Translate,
        ["replug"] = LinkPolicy.Replug,
        ["minimal"] = LinkPolicy.Minimal,
        ["multi-round"] = LinkPolicy.MultiRound,
    };

    public static void Add(KeyValues lines, Link link)
    {
        lines.Add("Policy", Policies.FirstOrDefault(p => p.Value == link.Policy).Key ?? "auto");
        lines.Add("Negotiation", State(link.Negotiation ?? new Negotiation()));
        foreach (NegotiationRound round in link.Negotiation?.Rounds ?? [])
            lines.Add($"Round {round.Number}{(round.Final ? ", the last" : "")}", round.Sides.SelectMany(Side).Concat(round.Lost.Select(lost => $"lost: {lost}")));
        foreach (Replug replug in link.Replugs)
            lines.Add($"Re-plug of {replug.Port}", $"{Of(replug.State)}: {replug.Text}", replug.State == ReplugState.Failed ? Words.Failure : null);
    }

    public static string Of(ReplugState state) => state switch
    {
        ReplugState.Running => "running",
        ReplugState.Done => "done",
        ReplugState.Failed => "failed",
        _ => "unknown",
    };

    private static string State(Negotiation negotiation)
    {
        string word = negotiation.State switch
        {
            NegotiationState.Waiting => "waiting",
            NegotiationState.Negotiating => "going on",
            NegotiationState.Agreed => "agreed",
            NegotiationState.Translated => "translated",
            NegotiationState.Failed => "failed",
            _ => "none: neither guest knows rounds, or the policy has none",
        };
        return negotiation.Awaited.Length > 0 ? $"{word}: {negotiation.Awaited}" : word;
    }

    private static IEnumerable<string> Side(RoundSide side)
    {
        if (!side.InRounds)
        {
            yield return $"{side.Port} is outside the rounds, and took {List(side.Taken)}";
            yield break;
        }
        yield return $"{side.Port} was offered {List(side.Offered)}";
        string[] refused = [.. side.Offered.Except(side.Taken)];
        yield return !side.Answered ? $"{side.Port} has not answered"
            : refused.Length == 0 ? $"{side.Port} took all"
            : $"{side.Port} took all but {List(refused)}";
    }

    private static string List(IEnumerable<string> names) => string.Join(", ", names.DefaultIfEmpty("nothing"));
}
