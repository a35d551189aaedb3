using InterGuest.Protos.V1;

namespace InterGuest.Switch.Control;

/// <summary>Makes ports and links be as a topology says. On the control thread.</summary>
internal sealed class TopologyApplier
{
    private readonly Switchboard _board;
    private readonly TopologyPlan _plan;

    /// <summary>What ports that are made again have offered: their guests may still run, and insist on it.</summary>
    private readonly Dictionary<string, ulong> _offered = [];

    private TopologyApplier(Switchboard board, TopologyPlan plan) => (_board, _plan) = (board, plan);

    /// <summary>Does what is asked, or says what it would do.</summary>
    /// <exception cref="SwitchException">The topology cannot be, and nothing was changed; or a change failed half-way.</exception>
    public static ApplyResponse Apply(Switchboard board, SwitchOptions options, ApplyRequest request)
    {
        var plan = TopologyPlan.Make(board, options, request.Topology ?? new Topology(), request.Prune);
        if (!request.DryRun)
            board.Batch(new TopologyApplier(board, plan).Run);
        return new ApplyResponse { Changes = { plan.Changes }, Left = { plan.Left } };
    }

    private void Run()
    {
        // What goes first makes room: a socket's path, a port's place in a link.
        foreach (var change in _plan.Changes.Where(c => c.Subject == SubjectKind.Link).Where(IsTakenAway))
            _board.DeleteLink(change.Name);
        foreach (var change in _plan.Changes.Where(c => c.Subject == SubjectKind.Port).Where(IsTakenAway))
            RemovePort(change.Name);
        int done = 0;
        foreach (var change in _plan.Changes)
        {
            Make(change, done);
            done++;
        }
    }

    private static bool IsTakenAway(Change change) => change.Kind is ChangeKind.Remove or ChangeKind.Replace;

    private void RemovePort(string name)
    {
        _offered[name] = _board.GetPort(name).Offered;
        _board.DeletePort(name);
    }

    private void Make(Change change, int done)
    {
        try
        {
            if (change is { Subject: SubjectKind.Port, Kind: ChangeKind.Create or ChangeKind.Replace })
                _board.CreatePort(change.Name, Declaration.ToSpec(_plan.Port(change.Name)), _offered.GetValueOrDefault(change.Name), qmpSocket: _plan.Port(change.Name).QmpSocket);
            else if (change is { Subject: SubjectKind.Port, Kind: ChangeKind.Update })
                Update(_plan.Port(change.Name));
            else if (change is { Subject: SubjectKind.Link, Kind: ChangeKind.Create or ChangeKind.Replace })
                Make(_plan.Link(change.Name));
            else if (change is { Subject: SubjectKind.Link, Kind: ChangeKind.Update })
                _board.SetLinkUp(change.Name, !_plan.Link(change.Name).Down);
        }
        catch (SwitchException e)
        {
            string what = change.Subject == SubjectKind.Port ? "port" : "link";
            throw new SwitchException(
                e.Kind, $"{what} {change.Name}: {e.Message}. {done} of {_plan.Changes.Count} changes were made before it, and stay", $"{what}s/{change.Name}");
        }
    }

    private void Update(CreatePortRequest port)
    {
        var spec = Declaration.ToSpec(port);
        _board.SetPort(port.Name, spec.Limits, spec.FollowsPeer, port.QmpSocket);
    }

    private void Make(CreateLinkRequest link) => _board.CreateLink(link.Name, link.Ports, Declaration.TimeOf(link.Hold, "hold"), !link.Down, Declaration.TimeOf(link.FailAfter, "fail_after"), link.Policy.ToPolicy());
}
