using System.CommandLine;
using InterGuest.Switch.Ports;

namespace InterGuest.Switch;

/// <summary>The daemon's options that say who may command it, and how they get there.</summary>
internal sealed class GuardOptions
{
    private readonly Option<string[]> _operators = new("--operator")
    {
        HelpName = "WHO",
        Description = "Who may do everything, besides root and the switch's own user: USER, %GROUP, cn:NAME (of a TLS client's certificate) or *. "
            + "May be given several times. Without --operator and --reader: everybody who can open the control socket",
    };

    private readonly Option<string[]> _readers = new("--reader")
    {
        HelpName = "WHO",
        Description = "Who may look (status, list, show, watch, export), but change nothing; as --operator",
    };

    private readonly Option<string> _group = new("--control-group") { HelpName = "GROUP", Description = "The control socket's group. Default: the switch's" };

    private readonly Option<string> _mode = new("--control-mode")
    {
        HelpName = "MODE",
        Description = "The control socket's file mode. Default: 0660",
    };

    private readonly Option<string> _certificate = new("--tls-cert") { HelpName = "FILE", Description = "For --control https://: the switch's certificate, PEM" };

    private readonly Option<string> _key = new("--tls-key") { HelpName = "FILE", Description = "Its private key, PEM" };

    private readonly Option<string> _authorities = new("--tls-client-ca")
    {
        HelpName = "FILE",
        Description = "The authorities of which clients must have a certificate, PEM",
    };

    private readonly Option<bool> _plain = new("--plain-http")
    {
        Description = "Allow --control http:// on a loopback address, where every user of this machine can command the switch",
    };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _operators, _readers, _group, _mode, _certificate, _key, _authorities, _plain })
            command.Add(option);
    }

    /// <exception cref="SwitchException">What was said makes no sense.</exception>
    public SwitchOptions Apply(ParseResult parsed, SwitchOptions options)
    {
        var access = new SocketAccess("", parsed.GetValue(_group) ?? "", parsed.GetValue(_mode) ?? SocketAccess.Default.Permissions);
        access.Check("--control-group", "--control-mode");
        return SwitchOptionsParser.Secure(
            options with { Operators = parsed.GetValue(_operators) ?? [], Readers = parsed.GetValue(_readers) ?? [], ControlAccess = access },
            parsed.GetValue(_certificate), parsed.GetValue(_key), parsed.GetValue(_authorities), parsed.GetValue(_plain));
    }
}
