using System.CommandLine;
using System.CommandLine.Parsing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Agent.Commands;

/// <summary>The options of network roles that say how they negotiate features (docs/multi-round.md).</summary>
internal sealed class FeatureOptions
{
    // Behind the VIRTIO_NET_F_ or VIRTIO_F_ of a name, by which nobody calls a feature.
    private const string Infix = "_F_";

    private readonly Option<bool> _noRounds = NumberOption.Flag(
        "--no-rounds", "Accept features once, as a driver that knows no rounds: do not wait for the other end of the link");

    private readonly Option<long> _bit = NumberOption.Whole(
        "--multi-round-bit", "N", "The feature bit of rounds, as the switch has it", FeatureRounds.DefaultBit, 0, 63);

    private readonly Option<ulong> _refuse = new("--refuse")
    {
        HelpName = "FEATURES",
        Description = "Features not to accept, and with them those that require them: csum,guest_tso4",
        CustomParser = Parse,
    };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_noRounds);
        command.Add(_bit);
        command.Add(_refuse);
    }

    /// <summary>The number of VIRTIO_F_MULTI_ROUND; null: the driver is not to know it.</summary>
    public int? RoundsBit(ParseResult parsed) => parsed.GetValue(_noRounds) ? null : (int)parsed.GetValue(_bit);

    /// <summary>The features that are not to be accepted.</summary>
    public ulong Refused(ParseResult parsed) => parsed.GetValue(_refuse);

    private static ulong Parse(ArgumentResult result)
    {
        ulong refused = 0;
        foreach (string name in result.Tokens[0].Value.Split(','))
        {
            var rule = FeatureTable.Net.Rules.FirstOrDefault(r => IsCalled(r.Name, name));
            if (rule == null || rule.Mask == Features.Version1)
                result.AddError($"--refuse: '{name}' is not a feature that can be refused; these are: {string.Join(", ", FeatureTable.Net.Rules.Where(r => r.Mask != Features.Version1).Select(r => Short(r.Name)))}");
            refused |= rule?.Mask ?? 0;
        }
        return ~FeatureTable.Net.Whole(~refused);
    }

    private static bool IsCalled(string feature, string name) =>
        name.Equals(feature, StringComparison.OrdinalIgnoreCase) || name.Equals(Short(feature), StringComparison.OrdinalIgnoreCase);

    private static string Short(string feature) =>
        feature[(feature.IndexOf(Infix, StringComparison.Ordinal) + Infix.Length)..].ToLowerInvariant();
}
