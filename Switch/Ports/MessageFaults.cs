using InterGuest.Virtio.VhostUser;

namespace InterGuest.Switch.Ports;

/// <summary>What a port's front-ends did wrong, by kind, since the port was made. On the control thread alone.</summary>
public sealed class MessageFaults
{
    private readonly long[] _counts = new long[Enum.GetValues<MessageFault>().Length];

    /// <summary>Those that occurred.</summary>
    public IEnumerable<(MessageFault Fault, long Count)> All =>
        Enum.GetValues<MessageFault>().Select(f => (f, _counts[(int)f])).Where(f => f.Item2 > 0);

    /// <summary>Counts one.</summary>
    public void Count(MessageFault fault) => _counts[(int)fault]++;
}
