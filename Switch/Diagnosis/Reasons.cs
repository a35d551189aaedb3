using InterGuest.Switch.Control;
using InterGuest.Switch.DataPath;

namespace InterGuest.Switch.Diagnosis;

/// <summary>What can be done about frames that are dropped.</summary>
internal static class Reasons
{
    private static readonly Dictionary<string, string> Remedies = new Dictionary<DropReason, string>
    {
        [DropReason.NoLink] = "They were sent while the port was in no link: interguest link add",
        [DropReason.LinkDown] = "They were sent while the link was set down: interguest link up",
        [DropReason.PeerNotRunning] = "They were sent while no guest ran at the other end",
        [DropReason.QueueDisabled] = "The guest sent on a queue that it had disabled, as some do while they start or stop",
        [DropReason.NoBuffers] = "The receiver was too slow: it had no free buffers for longer than the link holds frames. More queues, or a longer hold, help with bursts",
        [DropReason.TooLongForReceiver] = "The receiver's buffers are too small for them: set the same MTU in both guests, or let the receiver accept VIRTIO_NET_F_MRG_RXBUF",
        [DropReason.AboveMtu] = "They are longer than the MTU that the receiver's VMM told its guest, and must not be cut: set the same MTU in both guests",
    }.ToDictionary(r => SnakeCase.Of(r.Key), r => r.Value);

    /// <summary>By the reason's word. The others come from a driver that breaks the rules.</summary>
    public static string Remedy(string reason) => Remedies.GetValueOrDefault(reason, "No sound driver sends such frames: look at the guest's driver");
}
