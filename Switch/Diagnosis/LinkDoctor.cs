using InterGuest.Protos.V1;

namespace InterGuest.Switch.Diagnosis;

/// <summary>Why a link does not work, apart from its ports. A pure function of what the switch shows of it.</summary>
internal sealed class LinkDoctor(Link link)
{
    private readonly Report _report = new($"link {link.Name}");

    public IReadOnlyList<Finding> Examine()
    {
        if (!link.AdminUp)
            _report.Problem("link_down", "its owner has set it down", $"interguest link up {link.Name}");
        else if (link.State == LinkState.Up)
            _report.Good("link_up", "both its ports run: frames can flow");
        else
            _report.Problem("waiting", $"it waits: {link.Reason}", "What its ports lack is said below");
        foreach (string warning in link.Warnings)
            _report.Warning("offload_mismatch", warning, "");
        foreach (var direction in link.Directions)
            Examine(direction);
        return _report.Findings;
    }

    private void Examine(LinkDirection direction)
    {
        string way = $"from {direction.From} to {direction.To}";
        ulong dropped = direction.Drops.Aggregate(0UL, (sum, d) => sum + d.Count);
        if (direction.Frames > 0)
            _report.Good("flowing", $"{direction.Frames} frames have gone {way}");
        else if (link.State == LinkState.Up && dropped == 0)
            _report.Note("nothing_flowed", $"nothing has gone {way} so far: the guest at {direction.From} has sent nothing over this link");
        else if (link.State == LinkState.Up)
            _report.Warning("all_dropped", $"all {dropped} frames that were sent {way} so far were dropped", "The reasons are said below, at the port that sent them");
    }
}
