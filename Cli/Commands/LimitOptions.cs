using System.CommandLine;
using InterGuest.Protos.V1;
using InterGuest.TopologyFiles;

namespace InterGuest.Cli.Commands;

/// <summary>How much a port's guest may move: the same for `port add` and `port set`. Not said: null.</summary>
internal sealed class LimitOptions
{
    private readonly Option<ulong?> _rate = Number("--rate", "BITS",
        "The most that its guest may send in a second (of a disk: read and write), in bits as tc(8) has them: 100M is 100 Mbit/s. "
        + "What is too much waits in the guest; nothing is dropped. 0: no limit.", "rate");

    private readonly Option<ulong?> _burst = Number("--burst", "BYTES",
        "With --rate: bytes that may go at once after a rest. Less than the rate moves in some milliseconds makes it slower than the rate. "
        + "Default (0): what it moves in 10 ms, at least 64 KiB.", "burst");

    private readonly Option<ulong?> _inFlight = Number("--in-flight", "BYTES",
        "Of a disk: bytes of requests that its server may have at a time, so that some of its buffers are left for others. 0: any number.", "in_flight");

    public void AddTo(Command command)
    {
        command.Add(_rate);
        command.Add(_burst);
        command.Add(_inFlight);
    }

    public ulong? Rate(ParseResult result) => result.GetValue(_rate);

    public ulong? Burst(ParseResult result) => result.GetValue(_burst);

    public ulong? InFlight(ParseResult result) => result.GetValue(_inFlight);

    private static Option<ulong?> Number(string name, string helpName, string description, string field)
    {
        var descriptor = CreatePortRequest.Descriptor.FindFieldByName(field);
        return ParsedOption.Create(name, helpName, description, text => FieldText.Parse(descriptor, text) as ulong?, FieldText.Rule(descriptor));
    }
}
