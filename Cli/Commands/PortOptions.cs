using System.CommandLine;
using System.Globalization;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>The options of `port add`. Their values are the switch's to judge.</summary>
internal sealed class PortOptions
{
    private static readonly Dictionary<string, DeviceType> Types =
        Enum.GetValues<DeviceType>().Where(t => t != DeviceType.Unspecified).ToDictionary(Words.Of);

    private readonly Option<string> _type = new("--type")
    {
        Description = "The device's type. Default: net. A link joins net with net, block with block-server, "
            + "console with console, entropy with entropy-source.",
        HelpName = string.Join('|', Types.Keys),
    };

    private readonly Option<string> _socket = new("--socket")
    {
        Description = "The socket's path. Default: NAME.sock in the switch's socket directory.",
        HelpName = "PATH",
    };

    private readonly Option<string> _mode = new("--mode")
    {
        Description = "listen: the switch makes the socket, QEMU connects. connect: the other way round. "
            + "Default: listen.",
        HelpName = "listen|connect",
    };

    private readonly Option<uint?> _queues = ParsedOption.Create<uint?>("--queues", "N",
        "Pairs of virtqueues to offer; of a block device, virtqueues. Default: 1.",
        text => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) ? number : null,
        "a number of queue pairs");

    private readonly Option<string> _owner = new("--socket-owner")
    {
        Description = "The socket's user, e.g. libvirt-qemu. Default: the switch's.",
        HelpName = "USER",
    };

    private readonly Option<string> _group = new("--socket-group")
    {
        Description = "The socket's group, e.g. kvm. Default: the switch's.",
        HelpName = "GROUP",
    };

    private readonly Option<string> _permissions = new("--socket-mode")
    {
        Description = "The socket's file mode. Default: 0660.",
        HelpName = "MODE",
    };

    private readonly Option<string> _qmp = new("--qmp")
    {
        Description = "Where the guest's QEMU takes QMP commands, for re-plugs. QEMU wants -qmp unix:PATH,server=on,wait=off.",
        HelpName = "PATH",
    };

    private readonly LimitOptions _limits = new();

    private readonly Option<string> _carrier = CarrierOption.Create();

    public PortOptions()
    {
        _type.AcceptOnlyFromAmong([.. Types.Keys]);
        _mode.AcceptOnlyFromAmong("listen", "connect");
    }

    public void AddTo(Command command)
    {
        command.Add(_type);
        command.Add(_socket);
        command.Add(_mode);
        command.Add(_queues);
        command.Add(_owner);
        command.Add(_group);
        command.Add(_permissions);
        _limits.AddTo(command);
        command.Add(_carrier);
        command.Add(_qmp);
    }

    public CreatePortRequest Request(ParseResult result, CliContext context) => new()
    {
        Type = result.GetValue(_type) is { } type ? Types[type] : DeviceType.Unspecified,
        Mode = result.GetValue(_mode) switch
        {
            "listen" => SocketMode.Listen,
            "connect" => SocketMode.Connect,
            _ => SocketMode.Unspecified,
        },
        SocketPath = Absolute(result.GetValue(_socket) ?? "", GlobalOptions.EndpointOf(result, context)),
        QueuePairs = result.GetValue(_queues) ?? 0,
        SocketOwner = result.GetValue(_owner) ?? "",
        SocketGroup = result.GetValue(_group) ?? "",
        SocketMode = result.GetValue(_permissions) ?? "",
        QmpSocket = Absolute(result.GetValue(_qmp) ?? "", GlobalOptions.EndpointOf(result, context)),
        Rate = _limits.Rate(result) ?? 0,
        Burst = _limits.Burst(result) ?? 0,
        InFlight = _limits.InFlight(result) ?? 0,
        Carrier = CarrierOption.Of(result.GetValue(_carrier)),
    };

    // The switch has another working directory. On another machine, this one's says nothing.
    public static string Absolute(string path, Endpoint endpoint) =>
        path.Length > 0 && endpoint.SocketPath is not null ? Path.GetFullPath(path) : path;
}
