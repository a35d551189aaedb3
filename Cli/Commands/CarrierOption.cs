using System.CommandLine;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>What carrier a port's guest sees: the same for `port add` and `port set`.</summary>
internal static class CarrierOption
{
    public static Option<string> Create()
    {
        var option = new Option<string>("--carrier")
        {
            Description = "keep: the guest sees a carrier as long as the switch is there. follow: only while its link is up and the other end has a VMM; "
                + "else the VMM is cut off, and QEMU needs reconnect=1 to come back. Default: keep.",
            HelpName = "keep|follow",
        };
        option.AcceptOnlyFromAmong("keep", "follow");
        return option;
    }

    public static Carrier Of(string? word) => word switch
    {
        "keep" => Carrier.Keep,
        "follow" => Carrier.Follow,
        _ => Carrier.Unspecified,
    };
}
