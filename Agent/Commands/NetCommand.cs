using System.CommandLine;
using System.Text;
using InterGuest.Agent.Guests;
using InterGuest.Agent.Net;
using InterGuest.Agent.Output;
using InterGuest.Virtio.Native;

namespace InterGuest.Agent.Commands;

/// <summary>`interguest-agent net`.</summary>
internal static class NetCommand
{
    private static readonly GuestOptions Guest = new();
    private static readonly FeatureOptions Accept = new();
    private static readonly Option<string> TapName = new("--tap")
    {
        HelpName = "NAME",
        Description = "Of the host's network interface. One that is not there is made, which needs root, and goes with the agent",
        Required = true,
    };

    private static readonly Option<bool> Json = NumberOption.Flag("--json", "The summary as JSON");

    public static Command Create(AgentContext context)
    {
        var command = new Command("net",
            "Join this host to a network link: what is sent to the interface goes to the guest at the other end.\n\n"
            + "  ip tuntap add igtap0 mode tap user $USER; ip address add 192.168.9.1/24 dev igtap0; ip link set igtap0 up   # once, as root\n"
            + "  interguest-agent net --port /run/interguest/ports/host.sock --tap igtap0\n\n"
            + "Runs until Ctrl-C.") { TapName, Json };
        Guest.AddTo(command);
        Accept.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(context, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(AgentContext context, ParseResult parsed, CancellationToken cancel)
    {
        string name = parsed.GetValue(TapName)!;
        using var tap = Open(name);
        using var guest = Guest.Make(parsed, NetMemory.Bytes(TapRole.LargestFrame, TapRole.QueueSize), Accept.RoundsBit(parsed));
        var role = new TapRole(tap);
        context.Log.Say($"tap {name}: attached; give it an address and set it up, if it is not yet: ip link set {name} up");
        await new RoleLoop(guest, context.Log, Accept.Refused(parsed)).RunAsync(role, cancel);
        if (parsed.GetValue(Json))
            Report.WriteJson(context.Out, new { role.Sent, role.Received, role.Refused });
        else
            context.Out.WriteLine($"{role.Sent} frames sent, {role.Received} received, {role.Refused} not taken by the interface");
        return ExitCodes.Success;
    }

    private static Tap Open(string name)
    {
        if (name.Length == 0 || Encoding.UTF8.GetByteCount(name) > Tap.MaxNameBytes || name.AsSpan().ContainsAny("/ :%\0"))
            throw new AgentException($"--tap: '{name}' cannot be an interface's name: 1 to {Tap.MaxNameBytes} letters, digits, - and _");
        try
        {
            return Tap.Open(name);
        }
        catch (NativeException e)
        {
            throw new AgentException($"tap {name}: {Remedy(e, name)}", e);
        }
    }

    private static string Remedy(NativeException e, string name) => e switch
    {
        { IsPermissionDenied: true } => $"it is not yours. As root: ip tuntap add {name} mode tap user {Environment.UserName}",
        { IsBusy: true } => "another program has it",
        { IsNotFound: true } => "this host has no /dev/net/tun: modprobe tun",
        { IsInvalid: true } => $"there is an interface of that name that is no tap, or a tap with several queues: see 'ip -d link show {name}', choose another name",
        _ => e.Message,
    };
}
