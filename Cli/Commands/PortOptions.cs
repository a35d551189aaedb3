using System.CommandLine;
using System.Globalization;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Commands;

/// <summary>The options of `port add`. Their values are the switch's to judge.</summary>
internal sealed class PortOptions
{
    private readonly Option<string> _type = new("--type")
    {
        Description = "The device's type. Default: net.",
        HelpName = "net",
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
        "Pairs of virtqueues to offer. Default: 1.",
        text => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) ? number : null,
        "a number of queue pairs");

    public PortOptions()
    {
        _type.AcceptOnlyFromAmong("net");
        _mode.AcceptOnlyFromAmong("listen", "connect");
    }

    public void AddTo(Command command)
    {
        command.Add(_type);
        command.Add(_socket);
        command.Add(_mode);
        command.Add(_queues);
    }

    public CreatePortRequest Request(ParseResult result, CliContext context) => new()
    {
        Type = result.GetValue(_type) is null ? DeviceType.Unspecified : DeviceType.Net,
        Mode = result.GetValue(_mode) switch
        {
            "listen" => SocketMode.Listen,
            "connect" => SocketMode.Connect,
            _ => SocketMode.Unspecified,
        },
        SocketPath = Absolute(result.GetValue(_socket) ?? "", GlobalOptions.EndpointOf(result, context)),
        QueuePairs = result.GetValue(_queues) ?? 0,
    };

    // The switch has another working directory. On another machine, this one's says nothing.
    private static string Absolute(string path, Endpoint endpoint) =>
        path.Length > 0 && endpoint.SocketPath is not null ? Path.GetFullPath(path) : path;
}
