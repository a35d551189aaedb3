using InterGuest.Switch.Negotiation;
using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Control;

/// <summary>Takes links through their rounds, as guests answer and as time passes. All members are for the control thread.</summary>
/// <param name="reactor">The control thread.</param>
/// <param name="wiring">Lets data flow or not.</param>
/// <param name="isThere">Whether a link is still there.</param>
/// <param name="tell">Told of what comes of it.</param>
internal sealed class RoundsRunner(Reactor reactor, Wiring wiring, Func<Link, bool> isThere, Action<Link, string> tell)
{
    /// <summary>How long a guest may take for a round before its owner is told.</summary>
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(10);

    /// <summary>Lets the ports' answers count; data flows, or does not any more, from then on.</summary>
    public void Update(Link link)
    {
        var (carried, wasLast) = (link.Negotiation.MayCarry, link.Negotiation.IsInLastRound);
        if (!link.Negotiation.Update())
            return;
        if (wasLast != link.Negotiation.IsInLastRound)
            Begin(link);
        else if (carried != link.Negotiation.MayCarry)
            wiring.Refresh(link);
        string outcome = SnakeCase.Of(link.Negotiation.Phase);
        tell(link, $"features: {outcome}{Colon(link.Negotiation.Awaited())}");
        WatchAnswers(link);
    }

    /// <summary>The last round, or the end of it. One guest is ready before the other: its first frames are not to be lost.</summary>
    private void Begin(Link link)
    {
        link.IsStarting = link.Negotiation.IsInLastRound;
        wiring.Refresh(link);
        if (!link.IsStarting)
            return;
        reactor.After(link.Hold, () =>
        {
            if (!link.IsStarting || !isThere(link))
                return;
            link.IsStarting = false;
            wiring.Refresh(link);
        });
    }

    /// <summary>Tells of a guest that lets the other wait too long.</summary>
    public void WatchAnswers(Link link)
    {
        if (link.Negotiation.Phase != RoundsPhase.Negotiating)
            return;
        var history = link.Negotiation.Rounds.History;
        reactor.After(AnswerTime, () =>
        {
            if (link.Negotiation.Phase == RoundsPhase.Negotiating && link.Negotiation.Rounds.History == history && isThere(link))
                tell(link, $"features: no answer for {AnswerTime.TotalSeconds:0} s: {link.Negotiation.Awaited()}");
        });
    }

    private static string Colon(string text) => text == "" ? "" : $": {text}";
}
